/**
 * Somebody with an account elsewhere: two browsers, one for the console and one for the provider,
 * which follow every link and fill in every form.
 */

import { expect } from "vitest";
import { Browser, type Form, type Left, type Page } from "../../clients/openid/browser.ts";
import { newMarker } from "../../support/canary.ts";
import type { Elsewhere } from "../../support/elsewhere.ts";
import { ask } from "./http.ts";
import type { World } from "./world.ts";

export class Someone {
  readonly console: Browser;
  readonly provider: Browser;
  /** Their name at the provider, which is their subject there. */
  readonly name: string;
  readonly #world: World;

  constructor(world: World, oidc: Pick<Elsewhere, "url">, name = newMarker()) {
    this.#world = world;
    this.console = new Browser(world.origin);
    this.provider = new Browser(oidc.url);
    this.name = name;
  }

  get address(): string {
    return `${this.name}@example.test`;
  }

  /** Goes on from a page that leads away, signs in there and says yes. @returns the way back */
  async callback(away: Page | Left): Promise<URL> {
    let at = await this.provider.open(linkTo(away, this.provider.origin));
    for (let step = 0; step < 5 && at.kind === "page"; step++) {
      const [form] = at.forms;
      if (form === undefined) throw new Error(`no form at ${at.url}: ${at.html.slice(0, 300)}`);
      const login = form.fields.prompt === "login";
      at = await this.provider.submit(form, login ? { login: this.name, password: "x" } : {});
    }
    if (at.kind === "page") throw new Error("the provider does not let go");
    return at.url;
  }

  async goAndReturn(away: Page | Left): Promise<Page | Left> {
    return await this.comeBack(await this.callback(away));
  }

  async comeBack(callback: URL): Promise<Page | Left> {
    const back = await this.console.open(callback);
    return back.status === 200 ? await this.console.open(linkTo(back, this.console.origin)) : back;
  }

  /** Signs in at the provider and comes back. */
  async enter(): Promise<Page | Left> {
    return await this.goAndReturn(await this.console.open("/sign-in/with/oidc"));
  }

  /** Opens an account with an address that the provider has checked. */
  async signUp(): Promise<void> {
    const asked = await this.enter();
    expect(pathOf(asked)).toBe("/sign-up/with/oidc");
    const opened = await this.console.submit(formOf(asked));
    expect(pathOf(opened)).toBe("/devices");
  }

  get token(): string {
    return this.console.cookies.get("__Host-sid") ?? "";
  }

  async account(): Promise<string | null> {
    const answer = await ask(this.#world, "/api/account", { token: this.token });
    return answer.status === 200 ? answer.json.id : null;
  }

  async linked() {
    const { token } = this;
    return (await ask(this.#world, "/api/account/linked", { token })).json.linked;
  }
}

export function pathOf(at: Page | Left): string {
  return at.url.pathname;
}

/** The form of a page that posts to `action`; without it the first that is not of the frame. */
export function formOf(at: Page | Left, action?: string): Form {
  const forms = at.kind === "page" ? at.forms : [];
  const form = forms.find(
    (one) =>
      one.method === "POST" &&
      (action === undefined ? !isFrame(one.action) : one.action.pathname === action),
  );
  if (form === undefined) {
    throw new Error(
      `no form at ${at.url}: ${at.kind === "page" ? at.html.slice(0, 2000) : at.kind}`,
    );
  }
  return form;
}

/** Of the frame that every page stands in. */
const isFrame = (action: URL) => action.pathname === "/sign-out";

/** The link of a page that leads to `origin`; within the console, the one that goes on. */
export function linkTo(at: Page | Left, origin: string): string {
  const links = at.kind === "page" ? at.links : [];
  const found = links.find(
    (link) =>
      link.origin === origin && (origin !== at.url.origin || link.pathname.endsWith("/done")),
  );
  if (found === undefined) {
    throw new Error(`${at.url} (${at.status}) does not lead to ${origin}`);
  }
  return found.href;
}
