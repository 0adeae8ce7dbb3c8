/** A running edge as an issuer: people who signed up over HTTP, clients that its operator registered. */

import { createHash } from "node:crypto";
import { ask } from "../../contract/suite/http.ts";
import { newPerson, type Person, signInAgain } from "../../contract/suite/person.ts";
import { World } from "../../contract/suite/world.ts";
import { workerd } from "../../contract/workerd.ts";
import { Browser, type Page } from "./browser.ts";
import type { Client, Issuer, Prompt, Visitor } from "./issuer.ts";

const postLogoutUri = "https://client.example/bye";

const web: Client = {
  id: "web",
  secret: "a web secret",
  method: "client_secret_basic",
  redirectUri: "https://client.example/callback",
};
const post: Client = {
  id: "post",
  secret: "a post secret",
  method: "client_secret_post",
  redirectUri: "https://other.example/callback",
};
const native: Client = {
  id: "native",
  secret: null,
  method: "none",
  redirectUri: "http://127.0.0.1/callback",
};

/** A client as the operator registers it (docs/openid.md). */
export function registration(client: Client, more: object = {}): object {
  const secret = client.secret === null ? null : createHash("sha256").update(client.secret);
  return {
    id: client.id,
    name: `The ${client.id} app`,
    redirect_uris: [client.redirectUri],
    token_endpoint_auth_method: client.method,
    ...(secret === null ? {} : { secret_sha256: secret.digest("hex") }),
    ...more,
  };
}

/** An edge with the script's clients and `more`. */
export function startProvider(more: readonly object[] = []): Promise<World> {
  const clients = [
    registration(web, { post_logout_redirect_uris: [postLogoutUri] }),
    registration(post),
    registration(native, { device_grant: true }),
    ...more,
  ];
  return World.create(workerd, {
    OPENID_CLIENTS: JSON.stringify(clients),
    NETWORK_LIMIT_FACTOR: "100",
  });
}

/** The edge of `world` as an issuer of the script. */
export async function latchkey(world: World): Promise<Issuer> {
  const visitors = { mara: new SignedIn(world), noor: new SignedIn(world) };
  for (const visitor of Object.values(visitors)) await visitor.signUp();
  return {
    url: world.origin,
    clients: { web, post, native },
    people: ["mara", "noor"],
    postLogoutUri,
    prompt: (page, visitor) =>
      promptOf(page, visitor, visitors[visitor.person as keyof typeof visitors]),
    browser: () => new Browser(world.origin),
    fresh: async () => {
      for (const visitor of Object.values(visitors)) await visitor.endGrants();
    },
  };
}

/** A person who stays signed in: signing in by the form each time would be one try too many. */
class SignedIn {
  readonly #world: World;
  #person: Person | null = null;
  #token: string | null = null;

  constructor(world: World) {
    this.#world = world;
  }

  async signUp(): Promise<void> {
    this.#person = await newPerson(this.#world);
    this.#token = this.#person.token;
  }

  get person(): Person {
    if (this.#person === null) throw new Error("nobody signed up");
    return this.#person;
  }

  /** The token of a session that lives. */
  async session(): Promise<string> {
    const token = this.#token ?? (await signInAgain(this.#world, this.person));
    const alive = (await ask(this.#world, "/api/account", { token })).status === 200;
    this.#token = alive ? token : await signInAgain(this.#world, this.person);
    return this.#token;
  }

  async endGrants(): Promise<void> {
    const token = await this.session();
    const { grants } = (await ask(this.#world, "/api/grants", { token })).json;
    for (const { id } of grants) {
      await ask(this.#world, `/api/grants/${id}`, { method: "DELETE", token });
    }
  }
}

function promptOf(page: Page, { userCode }: Visitor, visitor: SignedIn): Prompt | null {
  const form = (path: string, method: "GET" | "POST" = "POST") =>
    page.forms.find(({ action, method: own }) => action.pathname === path && own === method);
  if (form("/sign-in") !== undefined) {
    return {
      asks: "sign-in",
      go: async (browser) => {
        browser.cookies.set("__Host-sid", await visitor.session());
        return await browser.open(page.url.searchParams.get("return") ?? "/");
      },
    };
  }
  const confirm = form("/confirm");
  if (confirm !== undefined) {
    const secret = Object.keys(confirm.fields).find((name) => !["way", "return"].includes(name));
    return {
      asks: "sign-in",
      go: (browser) => browser.submit(confirm, { [secret ?? ""]: visitor.person.password }),
    };
  }
  const [consent, device] = [form("/oauth/consent"), form("/device")];
  const asking = consent ?? device;
  if (asking !== undefined) {
    return {
      asks: "consent",
      go: (browser, allow) => browser.submit(asking, { answer: allow ? "allow" : "deny" }),
    };
  }
  const code = form("/device", "GET");
  if (code !== undefined && userCode !== "" && page.status === 200) {
    return { asks: "user-code", go: (browser) => browser.submit(code, { user_code: userCode }) };
  }
  const leaving = form("/oauth/logout/confirm");
  if (leaving === undefined) return null;
  return {
    asks: "sign-out",
    go: (browser, allow) => (allow ? browser.submit(leaving) : browser.open("/devices")),
  };
}
