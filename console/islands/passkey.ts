/**
 * Passkeys: asks the authenticator what the server wants to know, puts the answer into the form and
 * sends it. Where the browser can, it also offers passkeys in the autofill of the address.
 */

type Json = Readonly<Record<string, unknown>>;
/** A ceremony's options, of which this file reads how long they hold. */
type Options = Json & { readonly timeout: number };

const says = {
  cancelled: "No passkey was shown. Try again, or go another way.",
  known: "This device has a passkey for your account already.",
  tired: "Too many tries; wait a little.",
  failed: "That did not work. Try again, or go another way.",
} as const;

/** A challenge is asked for anew a little before it ends. */
const RENEW_AFTER = 0.9;

export function passkeys(): void {
  if (typeof PublicKeyCredential !== "function" || navigator.credentials === undefined) return;
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-passkey]")) {
    form.hidden = false;
    const waiting = new Waiting(form);
    const autofill = form.dataset.autofill !== undefined;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      waiting.end();
      void answer(form).then((sent) => {
        if (!sent && autofill) void waiting.begin();
      });
    });
    if (autofill) void waiting.begin();
  }
  for (const hint of document.querySelectorAll<HTMLElement>("[data-passkey-missing]")) {
    hint.hidden = true;
  }
}

/** Asks on the button's press; true when the form was sent. */
async function answer(form: HTMLFormElement): Promise<boolean> {
  const button = form.querySelector("button");
  if (button === null || button.disabled) return false;
  button.disabled = true;
  say(form, "");
  try {
    const options = await optionsOf(form);
    if (options === null) return false;
    const made =
      form.dataset.passkey === "create"
        ? await navigator.credentials.create({ publicKey: creationOf(options) })
        : await navigator.credentials.get({ publicKey: requestOf(options) });
    return send(form, made);
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    const cancelled = name === "NotAllowedError" || name === "AbortError";
    const text =
      name === "InvalidStateError" ? says.known : cancelled ? says.cancelled : says.failed;
    say(form, text);
    return false;
  } finally {
    button.disabled = false;
  }
}

/** The autofill's quiet question, which waits for as long as the page is open. */
class Waiting {
  readonly #form: HTMLFormElement;
  #abort: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(form: HTMLFormElement) {
    this.#form = form;
  }

  async begin(): Promise<void> {
    // From here on, so that a press of the button ends it wherever it stands.
    const abort = new AbortController();
    this.#abort = abort;
    const { signal } = abort;
    const can = await PublicKeyCredential.isConditionalMediationAvailable?.();
    const options = can === true ? await optionsOf(this.#form, { quiet: true }) : null;
    if (options === null || signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.end();
      void this.begin();
    }, options.timeout * RENEW_AFTER);
    try {
      const publicKey = requestOf(options);
      const made = await navigator.credentials.get({ mediation: "conditional", publicKey, signal });
      send(this.#form, made);
    } catch {
      // Nobody chose one, the button was pressed instead, or the challenge is asked for anew.
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#abort = null;
  }
}

/** What the server wants to know; null when it asks something else first, or refuses. */
async function optionsOf(form: HTMLFormElement, { quiet = false } = {}): Promise<Options | null> {
  const response = await fetch(form.dataset.options ?? "", { method: "POST" });
  if (response.ok) return (await response.json()) as Options;
  if (quiet) return null;
  const path = encodeURIComponent(location.pathname + location.search);
  if (response.status === 401) location.assign(`/sign-in?return=${path}`);
  else if (response.status === 403) location.assign(`/confirm?return=${path}`);
  else say(form, response.status === 429 ? says.tired : says.failed);
  return null;
}

function say(form: HTMLFormElement, text: string): void {
  const place = form.querySelector("[data-passkey-says]");
  if (place !== null) place.textContent = text;
}

function send(form: HTMLFormElement, made: Credential | null): boolean {
  const field = form.querySelector<HTMLInputElement>('input[name="response"]');
  if (!(made instanceof PublicKeyCredential) || field === null) return false;
  field.value = JSON.stringify(jsonOf(made));
  form.submit();
  return true;
}

// What follows is the standard's own JSON (WebAuthn §5.1), by hand where the browser has it not yet.

function creationOf(options: Json): PublicKeyCredentialCreationOptions {
  const json = options as unknown as PublicKeyCredentialCreationOptionsJSON;
  if (typeof PublicKeyCredential.parseCreationOptionsFromJSON === "function") {
    return PublicKeyCredential.parseCreationOptionsFromJSON(json);
  }
  const made = {
    ...json,
    challenge: bytes(json.challenge),
    user: { ...json.user, id: bytes(json.user.id) },
    excludeCredentials: (json.excludeCredentials ?? []).map((each) => ({
      ...each,
      id: bytes(each.id),
    })),
  };
  return made as unknown as PublicKeyCredentialCreationOptions;
}

function requestOf(options: Json): PublicKeyCredentialRequestOptions {
  const json = options as unknown as PublicKeyCredentialRequestOptionsJSON;
  if (typeof PublicKeyCredential.parseRequestOptionsFromJSON === "function") {
    return PublicKeyCredential.parseRequestOptionsFromJSON(json);
  }
  const made = {
    ...json,
    challenge: bytes(json.challenge),
    allowCredentials: (json.allowCredentials ?? []).map((each) => ({
      ...each,
      id: bytes(each.id),
    })),
  };
  return made as unknown as PublicKeyCredentialRequestOptions;
}

function jsonOf(made: PublicKeyCredential): unknown {
  try {
    return made.toJSON();
  } catch {
    // Not there yet, or a password manager's own credential, which cannot do it.
  }
  const { id, rawId, type, response } = made;
  const shared = { clientDataJSON: text(response.clientDataJSON) };
  const own =
    "attestationObject" in response
      ? {
          ...shared,
          attestationObject: text((response as AuthenticatorAttestationResponse).attestationObject),
          transports: (response as AuthenticatorAttestationResponse).getTransports?.() ?? [],
        }
      : { ...shared, ...assertionOf(response as AuthenticatorAssertionResponse) };
  return { id, rawId: text(rawId), type, response: own };
}

const assertionOf = ({
  authenticatorData,
  signature,
  userHandle,
}: AuthenticatorAssertionResponse) => ({
  authenticatorData: text(authenticatorData),
  signature: text(signature),
  userHandle: userHandle === null ? null : text(userHandle),
});

function bytes(base64url: string): ArrayBuffer {
  const binary = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0)).buffer;
}

function text(buffer: ArrayBuffer): string {
  const binary = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
