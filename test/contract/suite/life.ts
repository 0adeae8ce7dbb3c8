/** One account in use, over HTTP, mail and text messages only; and the app that it lets in. */

import { createHash, randomBytes } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import type { Message } from "../../../scripts/local/mailbox.ts";
import { Authenticator } from "../../support/authenticator.ts";
import { newMarker } from "../../support/canary.ts";
import type { Elsewhere } from "../../support/elsewhere.ts";
import { withMetadata } from "../../support/pictures.ts";
import { formOf, pathOf, Someone } from "./elsewhere.ts";
import { type Answer, type Ask, ask, cookieOf } from "./http.ts";
import type { Person } from "./person.ts";
import type { World } from "./world.ts";

export const APP = "native";
export const CALLBACK = "http://127.0.0.1/back";
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

/** What somebody goes to an account elsewhere for. */
type Way = "sign in" | "link" | "confirm";

/** A way to an account elsewhere: what the browser holds (`__Host-fed`), and where it comes back to. */
export interface Trip {
  readonly someone: Someone;
  readonly fed: string;
  readonly callback: URL;
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

  /** Goes to an account elsewhere from a page or a form of the console, and is about to come back. */
  async leave(oidc: Elsewhere, from: Way, name?: string): Promise<Trip> {
    const someone = new Someone(this.world, oidc, name);
    const { cookies } = someone.console;
    const form = async (page: string, action: string) =>
      await someone.console.submit(formOf(await someone.console.open(page), action));
    if (from !== "sign in") cookies.set("__Host-sid", this.person.token);
    const ways = {
      "sign in": () => someone.console.open("/sign-in/with/oidc"),
      link: () => form("/account/linked", "/account/linked/add"),
      confirm: () =>
        someone.console.open("/confirm/with/oidc", new URLSearchParams({ return: "/account" })),
    };
    const page = await ways[from]();
    const fed = cookies.get("__Host-fed") ?? "";
    return { someone, fed, callback: await someone.callback(page) };
  }

  /** Comes back from there, and does nothing yet. @returns what the browser holds then */
  async comeBack({ someone, callback }: Trip): Promise<string> {
    const back = await someone.console.open(callback);
    if (back.status !== 200) throw new Error(`${callback}: ${back.status}`);
    return someone.console.cookies.get("__Host-fed") ?? "";
  }

  /** Links an account elsewhere; its name there, and what the browser held on the way. */
  async link(oidc: Elsewhere): Promise<{ name: string; held: string[] }> {
    const trip = await this.leave(oidc, "link");
    const held = [trip.fed, await this.comeBack(trip)];
    const done = await trip.someone.console.open("/sign-in/with/oidc/done");
    if (pathOf(done) !== "/account/linked") throw new Error(`not linked: ${done.url}`);
    return { name: trip.someone.name, held };
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
  async mailed(address: string, path: string): Promise<string> {
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
