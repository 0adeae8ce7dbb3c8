/** Every page in a real browser: what holds of each of them, in both colors, on a desk and a phone. */

import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cookieMap } from "../../db/data-map/outside.ts";
import { axe } from "../support/axe.ts";
import { keepPicture, phone, visit } from "../support/browser.ts";
import {
  call,
  enrollDevice,
  furnish,
  liveIn,
  openAccount,
  operator,
  password,
  runAgent,
  signInBrowser,
  startWorld,
  type TestAccount,
  type World,
} from "../support/console.ts";
import { knowing, startDoh } from "../support/resolvers.ts";

const FIRST_VIEW_BYTES = 60 * 1024;

let world: World;
let doh: Awaited<ReturnType<typeof startDoh>>;
/** What DNS says of domains of the owner's own. */
const aliases: Record<string, string> = {};
let owner: TestAccount;
let deviceId: string;
let longId: string;
let waitingCode: string;
let passkeyId: string;
let contactId: string;
let addressId: string;
let stopAgent: (() => Promise<void>) | undefined;

beforeAll(async () => {
  doh = await startDoh((message) => knowing(aliases)(message));
  world = await startWorld({ RESOLVER: doh.url });
  ({ owner, deviceId, longId, waitingCode } = await furnish(world));
  ({ passkeyId, contactId, addressId } = await liveIn(world, owner));
  stopAgent = runAgent(world, "attic", null, {}, ["ssh=127.0.0.1:22", "files=127.0.0.1:445"]);
  const attic = `/api/devices/${deviceId}`;
  await call(world, "PUT", `${attic}/access/rules`, { service: "files", mode: "listed" }, owner);
  for (let online = false; !online; ) {
    const seen = await call(world, "GET", attic, undefined, owner);
    online = (seen.connection as { online: boolean } | null)?.online === true;
  }
  const caa = ['0 issue "letsencrypt.org"', '0 iodef "mailto:me@example.org"'];
  for (const [what, body] of [
    ["records", { owner: "", type: "CAA", values: caa }],
    ["records", { owner: "_dmarc", type: "TXT", values: ["x".repeat(300)] }],
    ["neighbors", { owner: "television-in-the-living-room", interface: "::211:32ff:fe12:3456" }],
    ["wildcard", { on: true }],
  ] as const) {
    await call(world, "PUT", `${attic}/name/${what}`, body, owner);
  }
  const host = `attic.${world.ddnsZone}`;
  aliases["cloud.example.org"] = host;
  aliases["_acme-challenge.cloud.example.org"] = `_acme-challenge.${host}`;
  aliases["home.example.org"] = "pages.a-service-with-a-long-name.example";
  for (const domain of ["cloud.example.org", "home.example.org", "example.org"]) {
    await call(world, "POST", `${attic}/domains`, { domain }, owner);
  }
  await changeHands();
  const { label } = await call(world, "GET", `/api/devices/${longId}`, undefined, owner);
  const words = "The page behind it copies that of a bank, also its address.\nSee report 17.";
  const closure = { reason: "phishing", extent: "all", words };
  await call(world, "PUT", `/api/operator/doors/${label}/closure`, closure, operator);
});

/** A contact offers the owner a name, and is offered one. */
async function changeHands(): Promise<void> {
  const giver = await openAccount(world, "giver@example.org");
  const theirs = await enrollDevice(world, giver, "givers-box");
  await call(world, "POST", "/api/contacts", { account: owner.accountId }, giver);
  await call(world, "POST", `/api/contacts/${giver.accountId}/accept`, undefined, owner);
  for (const [from, to, device, label] of [
    [giver, owner, theirs, "w".repeat(63)],
    [owner, giver, deviceId, "pictures"],
  ] as const) {
    const names = `/api/devices/${device}/names`;
    await call(world, "POST", names, { label }, from);
    await call(world, "POST", `${names}/${label}/offer`, { to: to.accountId }, from);
  }
}

/** A page that only a form leads to. */
async function comeTo(page: Page, path: string): Promise<void> {
  await page.goto(world.origin + path);
  if (!path.endsWith("#change")) return;
  await page.getByLabel("The name that comes").fill("l".repeat(63));
  await page.getByRole("button", { name: "See what changes" }).click();
  await page.getByRole("heading", { level: 1, name: /in place of/ }).waitFor();
}

afterAll(async () => {
  await stopAgent?.();
  await world.close();
  await doh.end();
});

/** An app asks who its visitor is. */
function authorize(): string {
  const query = new URLSearchParams({
    ...{ client_id: "photos", redirect_uri: `${world.origin}/`, response_type: "code" },
    ...{ scope: "openid profile email phone offline_access", prompt: "consent" },
    ...{ code_challenge: "A".repeat(43), code_challenge_method: "S256" },
  });
  return `/oauth/authorize?${query}`;
}

/** Every page, as a stranger and as the owner. */
function pages(): { street: string[]; house: string[] } {
  return {
    street: [
      "/",
      "/sign-up",
      "/sign-up/sent",
      "/verify?token=x",
      "/sign-in",
      `/sign-in?return=${encodeURIComponent(authorize())}`,
      "/oauth/authorize?client_id=nobody",
      "/forgot",
      "/forgot/sent",
      "/forgot/new?token=x",
      "/forgot/new?by=phone&token=x",
      "/undo?token=x",
      "/recovery/finish?token=x",
      "/recovery/stop?token=x",
      "/recovery/stopped",
      "/sign-up/code?token=x",
      "/privacy",
      "/problems",
      "/sign-in?return=/device",
      "/oauth/logout",
      `/people/${contactId}`,
      "/report?door=attic",
      "/report/received?reference=rpt_home_0000000000000000",
      "/nothing/here",
    ],
    house: [
      "/devices",
      "/devices/add",
      `/devices/add?code=${waitingCode}`,
      `/devices/${deviceId}`,
      `/devices/${longId}`,
      `/devices/${deviceId}/door`,
      `/devices/${deviceId}/name`,
      `/devices/${deviceId}/names`,
      `/devices/${deviceId}/names#change`,
      `/devices/${deviceId}/names/give-up?label=pictures`,
      `/devices/${deviceId}/names/give?label=pictures`,
      `/devices/${deviceId}/domains`,
      `/devices/${deviceId}/domains/take-away?domain=cloud.example.org`,
      `/devices/${longId}/domains`,
      "/names",
      `/devices/${deviceId}/records`,
      `/devices/${longId}/records`,
      `/devices/${deviceId}/certificate`,
      `/devices/${deviceId}/certificate/revoke`,
      `/devices/${longId}/door?path=/photos`,
      `/devices/${deviceId}/features/link/off`,
      `/devices/${deviceId}/features/name/off`,
      `/devices/${deviceId}/unregister`,
      "/account/passkeys",
      `/account/passkeys/${passkeyId}`,
      "/account/second-step",
      "/account/second-step/totp",
      "/account/second-step/sms",
      "/confirm?return=/account/tokens",
      "/device",
      "/device?done=allowed",
      "/oauth/logout",
      `/account/addresses/remove?id=${addressId}`,
      "/account/linked",
      "/account/tokens",
      "/account/programs",
      "/account/addresses",
      "/account/addresses/add",
      "/account/addresses/verify?to=phone&token=x",
      "/account/password",
      "/sessions",
      "/confirm?return=/account",
      "/account/second-step",
      "/account/second-step/totp",
      "/account/second-step/sms",
      "/account",
      "/account/profile",
      "/account/activity",
      "/people",
      `/people/${owner.accountId}`,
      `/people/${contactId}`,
      "/account/data",
      "/account/apps",
      authorize(),
      "/account/erase",
      "/privacy",
    ],
  };
}

/** Leads a fresh browser over every page. */
async function crawl(
  options: Parameters<typeof visit>[1],
  look: (page: Page, path: string) => Promise<void>,
) {
  const { street, house } = pages();
  const visitor = await visit(world.browser, options);
  for (const path of street) {
    await visitor.page.goto(world.origin + path);
    await look(visitor.page, path);
  }
  await signInBrowser(world, visitor.context, owner);
  for (const path of house) {
    await comeTo(visitor.page, path);
    await look(visitor.page, path);
  }
  await visitor.context.close();
  return visitor;
}

describe("everywhere", () => {
  it("[CKY-8] makes no request to another host, and its policy names none", async () => {
    const policies: string[] = [];
    const visitor = await visit(world.browser);
    visitor.page.on("response", (response) => {
      const policy = response.headers()["content-security-policy"];
      if (policy !== undefined) policies.push(policy);
    });
    await signInBrowser(world, visitor.context, owner);
    for (const path of [...pages().street, ...pages().house]) {
      await comeTo(visitor.page, path);
    }
    await visitor.context.close();
    const foreign = visitor.requests.filter(
      (url) => new URL(url).host !== new URL(world.origin).host,
    );
    expect(foreign).toEqual([]);
    expect(visitor.requests.length).toBeGreaterThan(pages().house.length);
    const own = `ws://${new URL(world.origin).host}`;
    for (const policy of policies) {
      expect(policy).toContain("default-src 'none'");
      const hosts = policy.match(/[a-z]+:\/\/[^\s;]+|\*/g) ?? [];
      expect(hosts.filter((host) => host !== own)).toEqual([]);
    }
    expect(policies.length).toBeGreaterThan(pages().house.length);
  });

  it("[CKY-1] keeps nothing in the browser but what the registry declares", async () => {
    const visitor = await visit(world.browser);
    const { page, context } = visitor;
    await page.goto(`${world.origin}/sign-in`);
    await page.getByLabel("E-mail address").fill(owner.address);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL("**/devices");
    for (const path of [...pages().house, ...pages().street]) {
      await comeTo(page, path);
      const stored = await page.evaluate(async () => [
        ...Object.keys(localStorage),
        ...Object.keys(sessionStorage),
        ...(await indexedDB.databases()).map(({ name }) => name),
        ...(await caches.keys()),
      ]);
      expect(stored, path).toEqual([]);
    }
    const names = (await context.cookies()).map(({ name }) => name);
    expect(names).toEqual(["__Host-sid"]);
    expect(Object.keys(cookieMap)).toEqual(expect.arrayContaining(names));
    await context.close();
  });

  it.each(["light", "dark"] as const)("has no axe violation in %s", async (colorScheme) => {
    // axe is not ours: the pages' own policy would not let it in.
    await crawl({ colorScheme, bypassCSP: true }, async (page, path) => {
      const violations = await axe(page);
      expect(violations, path).toEqual([]);
    });
  });

  it("fits a phone, 200 % zoom, long names and right-to-left", async () => {
    const widths = [phone, { width: 640, height: 400 }];
    for (const viewport of widths) {
      await crawl({ viewport }, async (page, path) => {
        for (const dir of ["ltr", "rtl"]) {
          const overflow = await page.evaluate((direction) => {
            document.documentElement.dir = direction;
            const { scrollWidth, clientWidth } = document.documentElement;
            return scrollWidth - clientWidth;
          }, dir);
          expect(overflow, `${path} at ${viewport.width} ${dir}`).toBeLessThanOrEqual(0);
        }
      });
    }
  });

  it("breaks no policy of its own and logs no error", async () => {
    const visitor = await crawl({}, async () => {});
    expect(visitor.complaints).toEqual([]);
  });

  it("has one heading, one main part and a title on every page, and a skip link first", async () => {
    await crawl({}, async (page, path) => {
      expect(await page.locator("h1").count(), path).toBe(1);
      expect(await page.locator("main").count(), path).toBe(1);
      expect(await page.title(), path).toMatch(/.+ · Latchkey$/);
      const first = await page.evaluate(() => document.querySelector("a, button")?.className);
      expect(first, path).toBe("skip");
    });
  });

  it("sends at most 60 KB compressed for a first view, fonts aside", async () => {
    for (const path of ["/", "/sign-in", "/privacy"]) {
      const visitor = await visit(world.browser);
      const bodies: Promise<Buffer>[] = [];
      visitor.page.on("response", (response) => {
        const font = (response.headers()["content-type"] ?? "").startsWith("font/");
        if (!font) bodies.push(response.body());
      });
      await visitor.page.goto(world.origin + path, { waitUntil: "networkidle" });
      const sizes = (await Promise.all(bodies)).map((body) => gzipSync(body).length);
      expect(sizes.length, path).toBeGreaterThanOrEqual(3);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      expect(total, path).toBeLessThanOrEqual(FIRST_VIEW_BYTES);
      await visitor.context.close();
    }
  });

  it.each([
    ["desk", "light"],
    ["desk", "dark"],
    ["phone", "light"],
    ["phone", "dark"],
  ] as const)("is kept as pictures, %s, in %s", async (size, colorScheme) => {
    const viewport = size === "phone" ? phone : { width: 1280, height: 800 };
    await crawl({ colorScheme, viewport }, async (page, path) => {
      const name = path
        .replaceAll(deviceId, "device")
        .replaceAll(longId, "device-long")
        .replace(/\?.*/, "-found")
        .replace(/[^a-z0-9]+/gi, "-");
      await keepPicture(page, `${size}-${colorScheme}${name}`);
    });
  });
});

describe("the pages at a door", () => {
  beforeAll(async () => {
    await stopAgent?.(); // one of them says that its box is not there
    stopAgent = undefined;
  });

  it.each(["light", "dark"] as const)(
    "stand alone and have no axe violation in %s",
    async (colorScheme) => {
      const { page, context, requests, complaints } = await visit(world.browser, {
        colorScheme,
        viewport: phone,
        bypassCSP: true,
      });
      await signInBrowser(world, context, owner);
      const door = (label: string) =>
        `http://${label}.${world.linkZone}:${new URL(world.origin).port}/files/x?y=1`;
      for (const [label, title] of [
        ["nobody", "There is no door here"],
        ["attic", "attic is not connected right now"],
      ] as const) {
        await page.goto(door(label));
        await page.getByRole("heading", { name: title, level: 1 }).waitFor();
        expect(page.url()).toBe(door(label));
        expect(await axe(page), label).toEqual([]);
        await keepPicture(page, `phone-${colorScheme}-door-${label}`);
      }
      const pages = requests.filter((url) => new URL(url).pathname !== "/door");
      const known = /\/files\/x\?y=1$|\/\.well-known\/latchkey\/enter\?|^data:,$/;
      expect(pages.filter((url) => !known.test(url))).toEqual([]);
      expect(complaints).toEqual([]);
      await context.close();
    },
  );
});
