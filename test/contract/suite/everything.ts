/**
 * A person who uses all that an account has: passkeys, second steps, a trusted browser, more addresses,
 * tokens, a profile, contacts, apps; over HTTP, mail and text messages only. It hands out every personal
 * value and every credential, so that tests can look for the ones and try the others again.
 */

import { createHash, randomBytes, randomInt } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import type { Message } from "../../../scripts/local/mailbox.ts";
import { Authenticator } from "../../support/authenticator.ts";
import { newMarker } from "../../support/canary.ts";
import { CANARY, withMetadata } from "../../support/pictures.ts";
import { type Answer, type Ask, ask, cookieOf } from "./http.ts";
import type { Person } from "./person.ts";
import type { World } from "./world.ts";

const CALLBACK = "http://127.0.0.1/back";
const APP = "native";
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

/** What the edge needs for it: an app without a secret, and room for many messages of one machine. */
export const EVERYTHING_VARIABLES = {
  NETWORK_LIMIT_FACTOR: "100",
  OPENID_CLIENTS: JSON.stringify([
    {
      ...{ id: APP, name: "Native", redirect_uris: [CALLBACK], device_grant: true },
      token_endpoint_auth_method: "none",
    },
  ]),
};

/** Something that lets in, or changes something, for who has it. */
export type Credential =
  | "session"
  | "trusted session"
  | "step"
  | "trust"
  | "personal token"
  | "reset link"
  | "undo link"
  | "app code"
  | "app verifier"
  | "access token"
  | "refresh token"
  | "device code";

export interface Everything {
  /** Personal values and secrets, by name: in no byte of any store, once the person is erased. */
  readonly markers: Readonly<Record<string, string>>;
  /** The same for what is no text: a passkey's identifier, the secret of an app. */
  readonly bytes: readonly Buffer[];
  /** Codes that were sent, with what each was for; several of a kind. */
  readonly codes: Readonly<Record<string, readonly string[]>>;
  readonly credentials: Readonly<Record<Credential, string>>;
  readonly key: Authenticator;
  readonly totpSecret: string;
  readonly recoveryCodes: readonly string[];
  readonly phone: string;
  /** The code of the text message that waits for the sign-in `step`. */
  readonly smsCode: string;
}

/** Uses everything. `friend` becomes a contact. */
export async function useEverything(
  world: World,
  person: Person,
  friend: Person,
): Promise<Everything> {
  const life = new Life(world, person);
  const key = await life.passkey();
  const codes: Record<string, string[]> = { address: [], "sign-in": [] };
  const second = `${newMarker()}@example.test`;
  const phone = `+43660${randomInt(10_000_000, 99_999_999)}`;
  for (const address of [second, phone]) codes.address?.push(await life.address(address));
  // Two that wait, and are never typed.
  for (let at = 0; at < 2; at++)
    codes.address?.push(
      await life.askAddress(`${newMarker()}@example.test`).then(({ code }) => code),
    );
  const { addresses } = await life.json("/api/account/addresses");
  const idOf = (text: string) =>
    addresses.find((one: { address: string }) => one.address === text).id;

  const { totpSecret, recoveryCodes } = await life.totp();
  codes["sign-in"]?.push(await life.smsStep(idOf(phone), phone));
  const trusted = await life.trustBrowser(recoveryCodes[0] ?? "");
  const waiting = await life.beginSignIn();
  await life.must("/api/sign-in/second-step/sms", { body: { token: waiting.step } });
  const smsCode = codeIn(await world.mailbox.next(phone));
  codes["sign-in"]?.push(smsCode);
  const pat = newMarker();
  const token = await life.must("/api/tokens", {
    ...life.own,
    body: { name: pat, scopes: ["account:read"], days: 30 },
  });
  const profile = await life.profile();
  await life.befriend(friend);
  const tokens = (await life.redeem(await life.appCode())).json;
  const { code, verifier } = await life.appCode();
  const deviceCode = await life.deviceCode();
  await life.must("/api/account/export", { ...life.own, method: "POST" });
  const primary = `/api/account/addresses/${idOf(second)}/primary`;
  await life.must(primary, { ...life.own, method: "PUT" });
  const undo = await life.link(person.address, "/undo");
  await life.must("/api/password/forgot", { body: { address: second } });
  const reset = await life.link(second, "/forgot/new");

  const credentials = {
    session: person.token,
    "trusted session": trusted.session,
    step: waiting.step,
    trust: trusted.trust,
    "personal token": token.json.token,
    "reset link": reset,
    "undo link": undo,
    "app code": code,
    "app verifier": verifier,
    "access token": tokens.access_token,
    "refresh token": tokens.refresh_token,
    "device code": deviceCode.device,
  };
  const credentialId = Buffer.from(key.credentials[0]?.id ?? []);
  const markers = {
    ...credentials,
    ...profile,
    "second address": second,
    "local part of it": second.split("@")[0] ?? "",
    phone,
    "phone's digits": phone.slice(1),
    "passkey's name": key.name,
    "passkey's id": credentialId.toString("base64url"),
    "app secret": totpSecret,
    "trusted browser's name": trusted.userAgent,
    "token's name": pat,
    "user code": deviceCode.user,
    "device's name": deviceCode.name,
    "user code's letters": deviceCode.user.replace("-", ""),
    ...Object.fromEntries(recoveryCodes.map((one, at) => [`recovery code ${at}`, one])),
    "recovery code's letters": recoveryCodes[1]?.replaceAll("-", "") ?? "",
    "photo's place": CANARY,
  };
  const bytes = [credentialId, Buffer.from(Secret.fromBase32(totpSecret).bytes)];
  return { markers, bytes, codes, credentials, key, totpSecret, recoveryCodes, phone, smsCode };
}

/** The six digits of a message. */
export function codeIn({ text }: Message): string {
  return /\d{6}(?= is )/.exec(text)?.[0] ?? "";
}

class NamedKey extends Authenticator {
  readonly name = newMarker();
}

/** One account in use. */
export class Life {
  readonly world: World;
  readonly person: Person;
  readonly own: { readonly token: string };
  readonly #cookie: { readonly cookie: string; readonly "sec-fetch-site": string };

  constructor(world: World, person: Person) {
    this.world = world;
    this.person = person;
    this.own = { token: person.token };
    this.#cookie = { cookie: `__Host-sid=${person.token}`, "sec-fetch-site": "same-origin" };
  }

  /** Asks, and is not refused. */
  async must(path: string, options: Ask = {}): Promise<Answer> {
    const answer = await ask(this.world, path, options);
    if (answer.status >= 400) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return answer;
  }

  async json(path: string) {
    return (await this.must(path, this.own)).json;
  }

  async passkey(): Promise<NamedKey> {
    const key = new NamedKey(this.world.origin);
    const options = await this.must("/api/passkeys/options", { ...this.own, method: "POST" });
    const response = await key.create(options.json);
    await this.must("/api/passkeys", { ...this.own, body: { response, name: key.name } });
    return key;
  }

  async askAddress(address: string): Promise<{ token: string; code: string }> {
    const asked = await this.must("/api/account/addresses", { ...this.own, body: { address } });
    return { token: asked.json.token, code: codeIn(await this.world.mailbox.next(address)) };
  }

  /** Adds an address; returns the code that was sent there. */
  async address(address: string): Promise<string> {
    const { token, code } = await this.askAddress(address);
    await this.must("/api/account/addresses/verify", { ...this.own, body: { token, code } });
    return code;
  }

  async totp() {
    const path = "/api/account/second-steps/totp";
    const setUp = await this.must(`${path}/set-up`, { ...this.own, method: "POST" });
    const totpSecret = setUp.json.secret as string;
    const code = new TOTP({ secret: Secret.fromBase32(totpSecret) }).generate();
    const on = await this.must(path, { ...this.own, body: { code } });
    return { totpSecret, recoveryCodes: on.json.recovery_codes as string[] };
  }

  async smsStep(id: string, phone: string): Promise<string> {
    const path = "/api/account/second-steps/sms";
    await this.must(`${path}/set-up`, { ...this.own, body: { phone: id } });
    const code = codeIn(await this.world.mailbox.next(phone));
    await this.must(path, { ...this.own, body: { code } });
    return code;
  }

  async beginSignIn(headers: Record<string, string> = {}): Promise<{ step: string }> {
    const { address, password } = this.person;
    const begun = await this.must("/api/sessions", { body: { address, password }, headers });
    if (begun.status !== 202) throw new Error(`no second step was asked for: ${begun.status}`);
    return { step: begun.json.second_step.token };
  }

  async trustBrowser(code: string) {
    const userAgent = newMarker();
    const headers = { "user-agent": userAgent };
    const { step: token } = await this.beginSignIn(headers);
    const done = await this.must("/api/sign-in/second-step", {
      body: { token, kind: "recovery-code", code, trust: true },
      headers,
    });
    const trust = cookieOf(done, "__Host-trust") ?? "";
    return { session: done.json.token as string, trust, userAgent };
  }

  async profile() {
    const [name, about] = [newMarker(), newMarker()];
    const put = (field: string, body: object) =>
      this.must(`/api/account/profile/${field}`, { ...this.own, method: "PUT", body });
    await put("name", { value: name, visibility: "everyone" });
    await put("about", { value: about, visibility: "contacts" });
    await put("time_zone", { value: "Europe/Vienna", visibility: "nobody" });
    const photo = { ...this.own, method: "PUT", body: withMetadata("jpeg") };
    await this.must("/api/account/photo", photo);
    return { name, about };
  }

  /** Both ask, which is a yes. */
  async befriend(friend: Person): Promise<void> {
    const body = { account: friend.accountId };
    await this.must("/api/contacts", { ...this.own, body });
    const path = `/api/contacts/${this.person.accountId}/accept`;
    await this.must(path, { method: "POST", token: friend.token });
  }

  /** Lets the app in as the person's browser does. */
  async appCode(): Promise<{ code: string; verifier: string }> {
    const verifier = randomBytes(32).toString("base64url");
    const query = new URLSearchParams({
      ...{ client_id: APP, redirect_uri: CALLBACK, response_type: "code", state: "s" },
      ...{ scope: "openid email offline_access", prompt: "consent" },
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
    });
    await this.must(`/oauth/authorize?${query}`, { headers: this.#cookie });
    const back = await this.#form("/oauth/consent", { request: `${query}`, answer: "allow" });
    const code = new URL(String(back.headers.location)).searchParams.get("code") ?? "";
    return { code, verifier };
  }

  async #form(path: string, form: Record<string, string>, headers: object = this.#cookie) {
    return await this.must(path, {
      method: "POST",
      headers: { ...headers, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(form).toString(),
    });
  }

  async redeem({ code, verifier }: { code: string; verifier: string }): Promise<Answer> {
    return await askToken(this.world, codeForm(code, verifier));
  }

  /** A device that was let in and has not come for its tokens. */
  async deviceCode() {
    const form = { client_id: APP, scope: "openid offline_access" };
    const { json } = await this.#form("/oauth/device", form, {});
    const name = newMarker();
    await this.#form("/device", { user_code: json.user_code, answer: "allow", name });
    return { device: json.device_code as string, user: json.user_code as string, name };
  }

  /** The token in the next mail to `address` that leads to `path`. */
  async link(address: string, path: string): Promise<string> {
    for (;;) {
      const { text } = await this.world.mailbox.next(address);
      const link = /https?:\/\/\S+token=\S+/.exec(text)?.[0];
      const url = link === undefined ? null : new URL(link);
      if (url?.pathname === path) return url.searchParams.get("token") ?? "";
    }
  }
}

/** Asks the token endpoint as the app. */
export function askToken(world: World, form: Record<string, string>): Promise<Answer> {
  return ask(world, "/oauth/token", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ client_id: APP, ...form }).toString(),
  });
}

export const codeForm = (code: string, code_verifier: string) => ({
  ...{ grant_type: "authorization_code", redirect_uri: CALLBACK },
  ...{ code, code_verifier },
});
export const refreshForm = (refresh_token: string) => ({
  ...{ grant_type: "refresh_token", refresh_token },
});
export const deviceForm = (device_code: string) => ({ grant_type: DEVICE_GRANT, device_code });
