/**
 * A running Latchkey with a mailbox and a headless Chromium, for tests of the console; and short ways
 * to what a test needs but is not about: an account, a device, an agent.
 */

import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext } from "playwright-core";
import { enroll } from "../../agent/enroll.ts";
import { run } from "../../agent/run.ts";
import type { ShortcutFlags } from "../../agent/shortcut.ts";
import { startEdge } from "../../scripts/local/edge.ts";
import { linkIn, type Mailbox, startMailbox } from "../../scripts/local/mailbox.ts";
import { Authenticator } from "./authenticator.ts";
import { freePort, startBrowser } from "./browser.ts";
import { plain } from "./pictures.ts";

export const password = "correct horse battery staple";
const operatorToken = "operator-".repeat(5);
/** Who runs it, for `call`. */
export const operator: TestAccount = { address: "", accountId: "", token: operatorToken };

export interface World {
  readonly origin: string;
  /** `<label>.<linkZone>:<port>` is a door. */
  readonly linkZone: string;
  readonly ddnsZone: string;
  readonly browser: Browser;
  readonly mailbox: Mailbox;
  /** A fresh folder that goes with the world. */
  folder(name: string): string;
  close(): Promise<void>;
}

/** @param own variables of the edge beside those that all tests want */
export async function startWorld(own: Readonly<Record<string, string>> = {}): Promise<World> {
  const base = await mkdtemp(join(tmpdir(), "latchkey-console-"));
  const mailbox = await startMailbox();
  const port = await freePort();
  const app = {
    ...{ id: "photos", name: "Photo Shelf", token_endpoint_auth_method: "none" },
    redirect_uris: [`http://localhost:${port}/`, "http://127.0.0.1/callback"],
  };
  const edge = await startEdge({
    data: join(base, "edge"),
    port,
    variables: {
      SMTP_URL: mailbox.smtpUrl,
      SMS_URL: mailbox.smsUrl,
      SMS_FROM: "Latchkey",
      MAIL_PAGE: mailbox.pageUrl,
      OPENID_CLIENTS: JSON.stringify([app]),
      OPERATOR_TOKEN_HASHES: createHash("sha256").update(operatorToken).digest("hex"),
      ...own,
    },
  });
  const browser = await startBrowser();
  return {
    origin: edge.origin,
    linkZone: edge.linkZone,
    ddnsZone: edge.ddnsZone,
    browser,
    mailbox,
    folder: (name) => join(base, name),
    async close() {
      await browser.close();
      await edge.close();
      await mailbox.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}

export interface TestAccount {
  readonly address: string;
  readonly accountId: string;
  readonly token: string;
}

/** Opens an account over the API. */
export async function openAccount(world: World, address: string): Promise<TestAccount> {
  await call(world, "POST", "/api/sign-up", { address, password });
  const link = new URL(linkIn(await world.mailbox.next(address)));
  const token = link.searchParams.get("token");
  const session = await call(world, "POST", "/api/sign-up/verify", { token, password });
  return { address, accountId: String(session.account_id), token: String(session.token) };
}

/** Lets a browser in as the account's owner. */
export async function signInBrowser(
  world: World,
  context: BrowserContext,
  account: TestAccount,
): Promise<void> {
  await context.addCookies([
    {
      name: "__Host-sid",
      value: account.token,
      domain: new URL(world.origin).hostname,
      path: "/",
      httpOnly: true,
      secure: true,
      sameSite: "Lax",
    },
  ]);
}

/** Calls the API as a program. @throws with the status when it is refused */
export async function call(
  world: World,
  method: string,
  path: string,
  body?: unknown,
  account?: TestAccount,
): Promise<Record<string, unknown>> {
  const response = await fetch(world.origin + path, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(account === undefined ? {} : { authorization: `Bearer ${account.token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}

/** Enrolls a device with the real agent; its folder is named after its label. */
export async function enrollDevice(
  world: World,
  account: TestAccount,
  label: string,
): Promise<string> {
  const device = await enroll({
    cloud: world.origin,
    home: world.folder(label),
    onCode: async ({ user_code }) => {
      await call(world, "POST", "/api/enrolments/approve", { user_code, label }, account);
    },
  });
  return device.device_id;
}

/** Runs the real agent of an enrolled device until the returned function is called. */
export function runAgent(
  world: World,
  label: string,
  serve: string | null,
  shortcut: ShortcutFlags = {},
  tcp: readonly string[] = [],
): () => Promise<void> {
  const stop = new AbortController();
  const { signal } = stop;
  const ended = run({ home: world.folder(label), serve, shortcut, tcp, log: () => {}, signal });
  return async () => {
    stop.abort();
    await ended;
  };
}

/** The longest label there may be. */
const longLabel = `donaudampfschiffahrts-elektrizitaeten-hauptbetriebswerk-${"x".repeat(7)}`;

/** Lists with something in them: a photo, a passkey, a token, a second address that is a phone. */
export async function liveIn(world: World, owner: TestAccount) {
  const photo = await fetch(`${world.origin}/api/account/photo`, {
    method: "PUT",
    headers: { authorization: `Bearer ${owner.token}`, "content-type": "image/png" },
    body: plain("png"),
  });
  if (!photo.ok) throw new Error(`the photo: ${photo.status} ${await photo.text()}`);
  const options = await call(world, "POST", "/api/passkeys/options", undefined, owner);
  const response = await new Authenticator(world.origin).create(options as never);
  const name = "Schlüsselbundanhängersicherheitsschlüssel von Großmutter";
  const passkey = await call(world, "POST", "/api/passkeys", { response, name }, owner);
  const token = { name: "备份程序".repeat(8), scopes: ["devices:read", "account:read"], days: 30 };
  await call(world, "POST", "/api/tokens", token, owner);
  const number = "+41791234567";
  const added = await call(world, "POST", "/api/account/addresses", { address: number }, owner);
  const code = /\d{6}/.exec((await world.mailbox.next(number)).text)?.[0];
  const proof = { token: added.token, code };
  await call(world, "POST", "/api/account/addresses/verify", proof, owner);
  const { addresses } = await call(world, "GET", "/api/account/addresses", undefined, owner);
  const { people } = await call(world, "GET", "/api/contacts", undefined, owner);
  const last = (list: unknown) => (list as Record<string, string>[]).at(-1) ?? {};
  return {
    passkeyId: String(passkey.id),
    addressId: String(last(addresses).id),
    contactId: String(last(people).account),
  };
}

/** What tests of pages look at: an owner, two devices, and a third that waits to be added. */
export interface Furniture {
  readonly owner: TestAccount;
  /** Named `attic`; every feature is on, and one other person may come in. */
  readonly deviceId: string;
  /** Has the longest name there may be. */
  readonly longId: string;
  readonly waitingCode: string;
}

/** Names that are long, without a space, and written from right to left. */
const names = [
  "Großmutter Wilhelmine Donaudampfschifffahrtsgesellschaftskapitänswitwe",
  "王小明和他的非常非常非常长的中文名字没有任何空格",
  "نور الهدى عبد الرحمن",
];

/** Gives a person a name, two contacts, somebody who asks, somebody asked and somebody blocked. */
async function knowPeople(world: World, owner: TestAccount): Promise<void> {
  const say = (who: TestAccount, field: string, value: string, visibility: string) =>
    call(world, "PUT", `/api/account/profile/${field}`, { value, visibility }, who);
  await say(owner, "name", names[0] ?? "", "everyone");
  await say(owner, "about", names[1] ?? "", "contacts");
  for (const [at, name] of names.entries()) {
    const other = await openAccount(world, `known${at}@example.org`);
    await say(other, "name", name, "everyone");
    await call(world, "POST", "/api/contacts", { account: owner.accountId }, other);
    if (at === 2) continue;
    await call(world, "POST", `/api/contacts/${other.accountId}/accept`, undefined, owner);
  }
  const nobody = (last: string) => `acc_home_012345678901234${last}`;
  await call(world, "POST", "/api/contacts", { account: nobody("a") }, owner);
  await call(world, "PUT", `/api/contacts/${nobody("b")}/block`, undefined, owner);
}

export async function furnish(world: World): Promise<Furniture> {
  const owner = await openAccount(world, "mara@example.org");
  const deviceId = await enrollDevice(world, owner, "attic");
  const longId = await enrollDevice(world, owner, longLabel);
  const path = `/api/devices/${deviceId}`;
  for (const feature of ["link", "name"]) {
    await call(world, "PUT", `${path}/features/${feature}`, { on: true }, owner);
  }
  await call(world, "PUT", `${path}/access`, { mode: "listed" }, owner);
  const friend = await openAccount(world, "noor@example.org");
  await call(world, "PUT", `${path}/access/people/${friend.accountId}`, undefined, owner);
  await knowPeople(world, owner);
  const start = await call(world, "POST", "/api/enrolments", { public_key: "A".repeat(43) });
  return { owner, deviceId, longId, waitingCode: String(start.user_code) };
}
