/**
 * The operator's list of accounts elsewhere, read from `IDENTITY_PROVIDERS` and refused with a sentence
 * when it is wrong. One provider an entry, entries separated by `;` or a line's end, words by spaces:
 *
 *     google client=1234.apps.googleusercontent.com; facebook client=5678
 *     work title=Our_company issuer=https://login.example.org client=latchkey
 *
 * It is written like the other variables (words, `_` for a space in a title), because JSON inside TOML
 * or a shell needs its quotes escaped, and one that is missing says nothing of where. Secrets do not
 * stand in it, so that it can be read and reviewed: each has a variable of its own,
 * `IDENTITY_SECRET_<ID>`.
 */

interface Common {
  /** What the provider is called in addresses, e.g. `google`. */
  readonly id: string;
  /** What people call it. */
  readonly title: string;
  /** The issuer's identifier; with the subject it names an account there. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scopes: readonly string[];
  /** The only origins that are asked on its behalf. */
  readonly origins: readonly string[];
  /** Plain http is spoken with it: it stands on this machine. */
  readonly loopback: boolean;
  /**
   * When an address that the provider calls checked is taken for checked.
   * - `believed`: always; whoever runs the provider can then open an account in the name of any
   *   address that has none yet, so the operator is warned at start (`cautionsOf`)
   * - `own`: where the provider says that the mailbox is one of its own; an address that it checked
   *   long ago may have another owner by now
   * - `asked`: never, a mail is sent; so it is unless the operator says otherwise
   */
  readonly emails: "believed" | "own" | "asked";
}

/** A provider of OpenID Connect. */
export interface OpenIdProvider extends Common {
  readonly kind: "oidc";
  /** True when it can be asked to have its user sign in afresh (OpenID Connect Core §3.1.2.1). */
  readonly freshLogin: boolean;
}

/** Facebook, which has an OAuth of its own. */
export interface FacebookProvider extends Common {
  readonly kind: "facebook";
  /** Where its dialog stands. */
  readonly dialogUrl: string;
  /** Where its Graph API stands, without a trailing slash. */
  readonly graphUrl: string;
}

export type IdentityProvider = OpenIdProvider | FacebookProvider;

const FACEBOOK_VERSION = "v23.0";
const ID = /^[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?$/;
/** RFC 6749 §3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

type Words = ReadonlyMap<string, string>;
type Reader = (entry: { id: string; words: Words; secret: string }) => IdentityProvider;

/** What is known of a provider by its name. */
const presets: Readonly<Record<string, { words: readonly string[]; read: Reader }>> = {
  google: {
    words: ["client", "title", "scopes"],
    read: ({ id, words, secret }) => ({
      ...common(id, words, secret, { title: "Google", scopes: "openid,email,profile" }),
      kind: "oidc",
      issuer: "https://accounts.google.com",
      origins: [
        "https://accounts.google.com",
        "https://oauth2.googleapis.com",
        "https://www.googleapis.com",
        "https://openidconnect.googleapis.com",
      ],
      loopback: false,
      // Google hosts @gmail.com and the domains it names in `hd`; others it checked once.
      emails: "own",
      // It takes neither `prompt=login` nor `max_age`.
      freshLogin: false,
    }),
  },
  facebook: {
    words: ["client", "title", "scopes", "dialog", "graph"],
    read: ({ id, words, secret }) => {
      const graph = base(id, "graph", words.get("graph") ?? "https://graph.facebook.com");
      const dialog = base(id, "dialog", words.get("dialog") ?? "https://www.facebook.com");
      const stands = [graph, dialog].every(
        ({ hostname }) => hostname.endsWith(".facebook.com") || LOOPBACK.has(hostname),
      );
      if (!stands) throw wrong(id, "dialog and graph must be Facebook's own, or on this machine");
      return {
        ...common(id, words, secret, { title: "Facebook", scopes: "public_profile,email" }),
        kind: "facebook",
        issuer: "https://www.facebook.com",
        origins: [graph.origin],
        loopback: graph.protocol === "http:",
        // It never says whether the address was checked.
        emails: "asked",
        dialogUrl: `${dialog.origin}/${FACEBOOK_VERSION}/dialog/oauth`,
        graphUrl: `${graph.origin}/${FACEBOOK_VERSION}`,
      };
    },
  },
};

const openId: { words: readonly string[]; read: Reader } = {
  words: ["issuer", "client", "title", "scopes", "hosts", "emails"],
  read: ({ id, words, secret }) => {
    const issuer = words.get("issuer");
    if (issuer === undefined) throw wrong(id, "issuer=https://… is missing");
    const url = base(id, "issuer", issuer);
    const more = (words.get("hosts") ?? "").split(",").filter((host) => host !== "");
    const emails = words.get("emails") ?? "asked";
    if (emails !== "believed" && emails !== "asked") {
      throw wrong(id, "emails must be believed or asked");
    }
    const shared = common(id, words, secret, { scopes: "openid,email,profile" });
    if (!shared.scopes.includes("openid")) throw wrong(id, "scopes must contain openid");
    return {
      ...shared,
      kind: "oidc",
      issuer,
      origins: [url.origin, ...more.map((host) => base(id, "hosts", `https://${host}`).origin)],
      loopback: url.protocol === "http:",
      emails,
      freshLogin: true,
    };
  },
};

/**
 * Reads the list.
 * @param variable reads the variable of a secret
 * @param origin the console's, whose paths lead back
 * @throws Error with a sentence
 */
export function identityProviders(
  text: string | null,
  variable: (name: string) => string | null,
  origin: string,
): IdentityProvider[] {
  const entries = (text ?? "").split(/[;\n]/).map((entry) => entry.trim());
  const list = entries.filter((entry) => entry !== "").map((entry) => read(entry, variable));
  const [twice] = list.filter(({ id }, at) => list.findIndex((other) => other.id === id) !== at);
  if (twice !== undefined) throw wrong(twice.id, "it is there twice");
  const far = list.find(({ loopback }) => loopback && !LOOPBACK.has(new URL(origin).hostname));
  if (far !== undefined) throw wrong(far.id, "a provider without https is for this machine only");
  return list;
}

function read(entry: string, variable: (name: string) => string | null): IdentityProvider {
  const [id = "", ...rest] = entry.split(/\s+/);
  if (!ID.test(id)) {
    throw new Error(
      `IDENTITY_PROVIDERS has a bad entry "${entry}"; it reads name client=… [issuer=…].`,
    );
  }
  const preset = Object.hasOwn(presets, id) ? presets[id] : undefined;
  const { words: allowed, read: make } = preset ?? openId;
  const words = new Map<string, string>();
  for (const word of rest) {
    const [, name, value] = /^([a-z]+)=(.+)$/.exec(word) ?? [];
    if (name === undefined || value === undefined) {
      throw wrong(id, `"${word}" is no word like client=…`);
    }
    if (!allowed.includes(name)) {
      throw wrong(id, `${name} is not known here; there are ${allowed.join(", ")}`);
    }
    if (words.has(name)) throw wrong(id, `${name} is there twice`);
    words.set(name, value);
  }
  const secretName = `IDENTITY_SECRET_${id.toUpperCase().replaceAll("-", "_")}`;
  const secret = variable(secretName);
  if (secret === null) throw wrong(id, `its secret is missing: set ${secretName}`);
  return make({ id, words, secret });
}

function common(
  id: string,
  words: Words,
  clientSecret: string,
  preset: { readonly title?: string; readonly scopes: string },
) {
  const clientId = words.get("client");
  if (clientId === undefined) throw wrong(id, "client=… is missing");
  const title = words.get("title")?.replaceAll("_", " ") ?? preset.title;
  if (title === undefined) throw wrong(id, "title=… is missing");
  const scopes = (words.get("scopes") ?? preset.scopes).split(",");
  if (!scopes.every((scope) => SCOPE.test(scope))) throw wrong(id, "scopes are words with commas");
  return { id, title, clientId, clientSecret, scopes };
}

/** An https address without query or fragment; plain http on this machine only. */
function base(id: string, name: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const safe =
    url !== null &&
    (url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.has(url.hostname))) &&
    url.search + url.hash + url.username + url.password === "";
  if (!safe) {
    throw wrong(id, `${name} must begin with https:// and have no query; got "${text}"`);
  }
  return url;
}

function wrong(id: string, what: string): Error {
  return new Error(`IDENTITY_PROVIDERS: the entry "${id}" is not right: ${what}.`);
}
