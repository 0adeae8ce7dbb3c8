/**
 * Somebody who holds every credential of the table, each ready to be presented; made the way people make
 * theirs, over HTTP, mail and text messages.
 */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Authenticator } from "../../support/authenticator.ts";
import { newMarker } from "../../support/canary.ts";
import type { Elsewhere } from "../../support/elsewhere.ts";
import { Box, newKey, startEnrollment } from "./box.ts";
import { useEverything } from "./everything.ts";
import { type Answer, ask, cookieOf } from "./http.ts";
import { APP, codeIn, Life } from "./life.ts";
import { newPerson } from "./person.ts";
import type { HomeService } from "./service.ts";
import { newLabel, type World } from "./world.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };

export type Armed = Awaited<ReturnType<typeof arm>>;

/** What stands around them. */
export interface Around {
  readonly world: World;
  readonly elsewhere: Elsewhere;
  readonly service: HomeService;
}

type Waiting = Awaited<ReturnType<typeof beginToWait>>;

/** People who use everything and whose wait for a lost second step is over. Restarts the edge. */
export async function peopleWhoWaited(around: Around, count: number): Promise<Waiting[]> {
  const people: Waiting[] = [];
  while (people.length < count) people.push(await beginToWait(around));
  await passTheWait(
    around.world,
    people.map(({ person }) => person.accountId),
  );
  return people;
}

async function beginToWait({ world, elsewhere }: Around) {
  const person = await newPerson(world);
  const all = await useEverything(world, person, await newPerson(world), elsewhere);
  const life = new Life(world, person);
  const lost = (await life.beginSignIn()).step;
  await life.must("/api/recovery", { body: { step_token: lost } });
  const stop = await life.mailed(person.address, "/recovery/stop");
  return { person, all, life, lost, stop };
}

/** The days of a lost second step pass: the rows that say so are changed while the edge is down. */
export async function passTheWait(world: World, accounts: readonly string[]): Promise<void> {
  let changed = 0;
  await world.restart("gently", async () => {
    const files = await readdir(world.data, { recursive: true });
    for (const file of files.filter((name) => /(d1.*\.sqlite|^\w+\.db)$/i.test(name))) {
      const database = new DatabaseSync(join(world.data, file));
      const has = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'recovery'").get();
      for (const account of has === undefined ? [] : accounts) {
        const pass = database.prepare("UPDATE recovery SET opens_at = 1 WHERE account_id = ?");
        changed += Number(pass.run(account).changes);
      }
      database.close();
    }
  });
  if (changed !== accounts.length) throw new Error(`${changed} waits were passed`);
}

/** Makes every other credential ready. */
export async function arm({ world, elsewhere, service }: Around, waiting: Waiting) {
  const { person, all, life, lost, stop } = waiting;
  await life.must("/api/recovery", { body: { step_token: lost } });
  const finish = await life.mailed(person.address, "/recovery/finish");
  const begun = async () => (await life.beginSignIn()).step;
  const steps = { recovery: await begun(), totp: await begun(), passkey: await begun() };
  const cookie = await begun();
  await life.must("/api/sessions/current/confirm/code", { ...life.own, body: { way: "sms" } });
  const smsToConfirm = await nextCode(world, all.phone);
  const newAddress = await life.askAddress(`${newMarker()}@example.test`);
  const enrolment = (await startEnrollment(world, await newKey())).json.user_code as string;
  const onDevice = await ask(world, "/oauth/device", {
    ...{ method: "POST", headers: FORM },
    body: new URLSearchParams({ client_id: APP, scope: "openid" }).toString(),
  });
  const userCodes = { enrolment, app: onDevice.json.user_code as string };
  const passkey = await passkeyAnswers(life, all.key, steps.passkey);
  const trips = await tripsOf(life, elsewhere, all.linked);
  const home = await atHome(world, life, service, all.credentials["trusted session"]);
  const links = { stop, finish };
  const ready = { links, steps: { ...steps, lost, cookie }, smsToConfirm, newAddress, userCodes };
  return { person, all, life, elsewhere, ...ready, passkey, trips, ...home };
}

/** The next code in a text message to `phone`; the rest are notices. */
async function nextCode(world: World, phone: string): Promise<string> {
  for (;;) {
    const code = codeIn(await world.mailbox.next(phone));
    if (code !== "") return code;
  }
}

/** An answer of the passkey to each kind of question. */
async function passkeyAnswers(life: Life, key: Authenticator, token: string) {
  const asked = async (path: string, body?: object) => {
    const options = body === undefined ? { ...life.own, method: "POST" } : { body };
    return (await life.must(path, options)).json;
  };
  const step = await asked("/api/sign-in/second-step/passkey/options", { token });
  const confirm = await asked("/api/sessions/current/confirm/passkey/options");
  return {
    signIn: await key.get(await asked("/api/sign-in/passkey/options")),
    step: await key.get(step),
    confirm: await key.get(confirm),
    add: await new Authenticator(key.origin).create(await asked("/api/passkeys/options")),
  };
}

/** Ways to an account elsewhere: one that leads there, and for each reason one that came back. */
async function tripsOf(life: Life, elsewhere: Elsewhere, linked: string) {
  const way = await life.leave(elsewhere, "link");
  const back = async (why: "link" | "confirm" | "sign in", name?: string) =>
    await life.comeBack(await life.leave(elsewhere, why, name));
  return {
    way,
    link: await back("link"),
    confirm: await back("confirm", linked),
    signIn: await back("sign in", linked),
  };
}

/** A device that serves visitors and one that does not, with what they and their visitors hold. */
async function atHome(world: World, { person }: Life, service: HomeService, session: string) {
  const plain = await Box.enroll(world, person, newLabel());
  const client = { token_endpoint_auth_method: "private_key_jwt" };
  const body = { client_assertion: await plain.assertion(), client };
  const said = await ask(world, "/api/agent/openid", { body });
  if (said.status !== 200) throw new Error(`openid: ${said.status} ${said.text}`);
  const asApp = await plain.clientAssertion();
  const box = await Box.enroll(world, person, newLabel());
  await box.switch("name", true);
  await box.switch("link", true);
  const secret = await box.nameToken();
  const { socket } = await box.serve(service.origin);
  const visit = cookieOf(await box.enter(await box.knock(session)), "__Host-door") ?? "";
  const share = await sharedBy(box);
  const opened = cookieOf(await openShare(box, share.pathname), "__Host-door") ?? "";
  const shared = { share, opened };
  return {
    box,
    socket,
    secret,
    plain,
    asApp,
    visit,
    ...shared,
    knocked: await box.knock(person.token),
  };
}

/** A link to a file of the box. */
async function sharedBy(box: Box): Promise<{ id: string; pathname: string }> {
  const expires_at = new Date(Date.now() + 3_600_000).toISOString();
  const what = { path: "/hello", name: "", audience: "link", people: [], password: null };
  const { status, text, json } = await box.ask("/shares", "POST", { ...what, expires_at });
  if (status !== 201) throw new Error(`share: ${status} ${text}`);
  return { id: json.id, pathname: new URL(json.address).pathname };
}

/** Opens a link as a browser does whose person read its page. */
export function openShare(box: Box, pathname: string): Promise<Answer> {
  const headers = { ...FORM, "sec-fetch-site": "same-origin" };
  return box.visit(pathname, { method: "POST", headers, body: "" });
}
