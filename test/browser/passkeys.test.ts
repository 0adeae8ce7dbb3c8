/** Passkeys in a real browser, with an authenticator that Chromium itself plays (WebAuthn §11). */

import type { BrowserContext, CDPSession, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { totpCode } from "../../workers/sign-in/totp.ts";
import { keepPicture, type Visit, visit } from "../support/browser.ts";
import {
  call,
  openAccount,
  password,
  signInBrowser,
  startWorld,
  type TestAccount,
  type World,
} from "../support/console.ts";

let world: World;
let person: TestAccount;
let visitor: Visit;
let key: VirtualKey;
let serial = 0;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

beforeEach(async () => {
  person = await openAccount(world, `key${serial++}@example.org`);
  visitor = await visit(world.browser);
  key = await VirtualKey.plug(visitor.context, visitor.page);
});
afterEach(() => visitor.context.close());

/** A virtual authenticator of the page, which touches and verifies by itself when told to. */
class VirtualKey {
  readonly #cdp: CDPSession;
  readonly #authenticatorId: string;

  private constructor(cdp: CDPSession, authenticatorId: string) {
    this.#cdp = cdp;
    this.#authenticatorId = authenticatorId;
  }

  /** @param verifies false for one that sees a touch, and cannot check whose it is */
  static async plug(context: BrowserContext, page: Page, verifies = true): Promise<VirtualKey> {
    const cdp = await context.newCDPSession(page);
    await cdp.send("WebAuthn.enable", { enableUI: false });
    const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        ctap2Version: "ctap2_1",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: verifies,
        isUserVerified: verifies,
        automaticPresenceSimulation: true,
      },
    });
    return new VirtualKey(cdp, authenticatorId);
  }

  /** Touches whatever asks from now on, or lets it wait. */
  async touches(enabled: boolean): Promise<void> {
    await this.#cdp.send("WebAuthn.setAutomaticPresenceSimulation", { ...this.ids, enabled });
  }

  async unplug(): Promise<void> {
    await this.#cdp.send("WebAuthn.removeVirtualAuthenticator", this.ids);
  }

  async credentials() {
    return (await this.#cdp.send("WebAuthn.getCredentials", this.ids)).credentials;
  }

  private get ids() {
    return { authenticatorId: this.#authenticatorId };
  }
}

/** Adds a passkey on its page, and leaves the session behind. */
async function addPasskey(): Promise<void> {
  const { page, context } = visitor;
  await signInBrowser(world, context, person);
  await page.goto(`${world.origin}/account/passkeys`);
  await page.getByRole("button", { name: "Add a passkey" }).press("Enter");
  await page.waitForURL("**/account/passkeys?done=added");
  await context.clearCookies();
}

/** What the newest session of the browser was made with. */
const methods = (page: Page) =>
  page.evaluate(async () => {
    const { sessions } = await (await fetch("/api/sessions")).json();
    return sessions.find((session: { current: boolean }) => session.current).methods;
  });

describe("a passkey in Chromium", () => {
  it("is added by keyboard, for this host, discoverable, under the account's handle", async () => {
    await addPasskey();
    const { page } = visitor;
    expect(await page.textContent("main")).toContain("Passkey on Chrome on Linux");
    const [made, ...others] = await key.credentials();
    expect(others).toEqual([]);
    expect(made).toMatchObject({ rpId: "localhost", isResidentCredential: true });
    expect(Buffer.from(made?.userHandle ?? "", "base64").toString()).toBe(person.accountId);
    await keepPicture(page, "desk-light-passkeys");
  });

  it("is not added twice to one authenticator", async () => {
    await addPasskey();
    const { page, context } = visitor;
    await signInBrowser(world, context, person);
    await page.goto(`${world.origin}/account/passkeys`);
    await page.getByRole("button", { name: "Add a passkey" }).click();
    await page.getByText("This device has a passkey for your account already.").waitFor();
    expect(await key.credentials()).toHaveLength(1);
  });

  it("signs in from the autofill, with neither address nor button", async () => {
    await addPasskey();
    const { page } = visitor;
    await page.goto(`${world.origin}/sign-in?return=/account/passkeys`);
    await page.waitForURL(`${world.origin}/account/passkeys`);
    expect(await methods(page)).toEqual(["passkey-verified"]);
    expect(visitor.complaints).toEqual([]);
  });

  it("signs in by the button, which ends the autofill's question", async () => {
    await addPasskey();
    const { page, context } = visitor;
    // Nobody chooses from the autofill here: its question waits, and must make room for the button's.
    await context.addInitScript(() => {
      const get = navigator.credentials.get.bind(navigator.credentials);
      navigator.credentials.get = (options) =>
        options?.mediation !== "conditional"
          ? get(options)
          : new Promise((_resolve, reject) => {
              document.documentElement.dataset.waits = "yes";
              options.signal?.addEventListener("abort", () => {
                sessionStorage.setItem("ended", "yes");
                reject(options.signal?.reason);
              });
            });
    });
    await page.goto(`${world.origin}/sign-in`);
    await page.locator('html[data-waits="yes"]').waitFor();
    const sent = page.waitForRequest((request) => request.isNavigationRequest());
    await page.getByRole("button", { name: "Use a passkey" }).press("Enter");
    expect((await sent).method()).toBe("POST");
    await page.waitForURL("**/devices");
    expect(await methods(page)).toEqual(["passkey-verified"]);
    expect(await page.evaluate(() => sessionStorage.getItem("ended"))).toBe("yes");
  });

  // Chromium lets a key that only sees a touch answer where an account is known already.
  it.each([
    ["passkey-verified", true],
    ["passkey", false],
  ] as const)(
    "is the second step after a password, as a %s, and confirms",
    async (method, verifies) => {
      const { page, context } = visitor;
      await key.unplug();
      key = await VirtualKey.plug(context, page, verifies);
      await addPasskey();
      const path = "/api/account/second-steps/totp";
      const { secret } = await call(world, "POST", `${path}/set-up`, undefined, person);
      const code = totpCode(String(secret), Date.now());
      await call(world, "POST", path, { code }, person);
      await context.addInitScript(() => {
        PublicKeyCredential.isConditionalMediationAvailable = async () => false;
      });
      await page.goto(`${world.origin}/sign-in?return=/account/passkeys`);
      await page.getByLabel("E-mail address").fill(person.address);
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
      await page.waitForURL("**/sign-in/second-step?**");
      await keepPicture(page, "desk-light-second-step-passkey");
      await page.getByRole("button", { name: "Use a passkey" }).press("Enter");
      await page.waitForURL(`${world.origin}/account/passkeys`);
      expect(await methods(page)).toEqual(["password", method]);
      await page.goto(`${world.origin}/confirm?return=/account/tokens`);
      await page.getByRole("button", { name: "Use a passkey" }).press("Enter");
      await page.waitForURL(`${world.origin}/account/tokens`);
      expect(visitor.complaints).toEqual([]);
    },
  );

  it("is refused when the same request is sent again", async () => {
    await addPasskey();
    const { page, context } = visitor;
    const sent = page.waitForRequest(
      (request) => request.method() === "POST" && request.url().endsWith("/sign-in"),
    );
    await page.goto(`${world.origin}/sign-in`);
    const body = (await sent).postData() ?? "";
    expect(body).toContain("response=");
    await page.waitForURL("**/devices");
    await context.clearCookies();
    await key.touches(false);
    await page.goto(`${world.origin}/sign-in`);
    const again = await page.evaluate(async (text) => {
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const answer = await fetch("/sign-in", { method: "POST", headers, body: text });
      return { status: answer.status, text: await answer.text() };
    }, body);
    expect(again.status).toBe(401);
    expect(again.text).toContain("This passkey did not work here");
    expect((await context.cookies()).map(({ name }) => name)).not.toContain("__Host-sid");
  });

  it("is refused once it was removed, and the page says so in words", async () => {
    await addPasskey();
    const { page, context } = visitor;
    await signInBrowser(world, context, person);
    await page.goto(`${world.origin}/account/passkeys`);
    await page.getByRole("link", { name: "Change Passkey on" }).click();
    await page.getByLabel("Its name").fill("Old key");
    await page.getByRole("button", { name: "Keep the name" }).click();
    await page.waitForURL("**/account/passkeys?done=named");
    await page.getByRole("link", { name: "Change Old key" }).click();
    await page.getByRole("button", { name: "Remove this passkey" }).click();
    await page.waitForURL("**/account/passkeys?done=removed");
    await context.clearCookies();
    await page.goto(`${world.origin}/sign-in`);
    await page.getByRole("alert").getByText("This passkey did not work here").waitFor();
    expect(page.url()).toBe(`${world.origin}/sign-in`);
  });

  it("that is not shown is no fault: the page says so and goes on", async () => {
    const { page } = visitor;
    await page.goto(`${world.origin}/sign-in`);
    await page.getByRole("button", { name: "Use a passkey" }).click();
    await page.getByText("No passkey was shown.").waitFor();
    await page.getByLabel("E-mail address").waitFor();
    expect(visitor.complaints).toEqual([]);
  });

  it("is offered by no page without scripts, and everything else works", async () => {
    const { page, context } = await visit(world.browser, { javaScriptEnabled: false });
    await page.goto(`${world.origin}/sign-in`);
    expect(await page.getByRole("button", { name: "Use a passkey" }).count()).toBe(0);
    await signInBrowser(world, context, person);
    await page.goto(`${world.origin}/account/passkeys`);
    expect(await page.textContent("main")).toContain("scripts are switched off");
    expect(await page.getByRole("button", { name: "Add a passkey" }).count()).toBe(0);
    await context.close();
  });

  it("works where the browser has not the standard's own JSON yet", async () => {
    await visitor.context.addInitScript(() => {
      const taken = PublicKeyCredential as unknown as Record<string, unknown>;
      taken.parseCreationOptionsFromJSON = undefined;
      taken.parseRequestOptionsFromJSON = undefined;
      (PublicKeyCredential.prototype as unknown as Record<string, unknown>).toJSON = undefined;
    });
    await addPasskey();
    await visitor.page.goto(`${world.origin}/sign-in`);
    await visitor.page.waitForURL("**/devices");
    expect(await methods(visitor.page)).toEqual(["passkey-verified"]);
  });
});
