/** Presents each credential of somebody, as its owner, browser, app or device does. */

import { Secret, TOTP } from "otpauth";
import { agentSocketPath, agentSubprotocol } from "../../../protocol/agent.ts";
import { type Armed, openShare } from "./armed.ts";
import { type Box, poll } from "./box.ts";
import type { CredentialName } from "./credentials.ts";
import { type Answer, type Ask, ask, cookieOf } from "./http.ts";
import { askToken, codeForm, deviceForm, refreshForm } from "./life.ts";
import { TestSocket } from "./socket.ts";
import { newLabel, type World } from "./world.ts";

export type Present = () => Promise<Pick<Answer, "status">>;
type Presents<Name extends CredentialName> = Record<Name, Present>;

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const NEXT_PASSWORD = "a quite different password 7";
const formBody = (fields: Record<string, string>) => new URLSearchParams(fields).toString();

/** Every credential of `armed`, to be presented. */
export function presented(world: World, armed: Armed): Presents<CredentialName> {
  return {
    ...ofTheAccount(world, armed),
    ...ofApps(world, armed),
    ...ofSteps(world, armed),
    ...ofElsewhere(world, armed),
    ...ofDevices(world, armed),
    ...ofLinks(world, armed),
  };
}

const asker =
  (world: World) =>
  (path: string, options: Ask = {}) =>
    ask(world, path, options);

function ofTheAccount(world: World, { person, all, ...armed }: Armed) {
  const say = asker(world);
  const { credentials: own } = all;
  const { address, password, token } = person;
  const account = (session: string) => say("/api/account", { token: session });
  const signIn = { body: { address, password } };
  const trusted = { cookie: `__Host-trust=${own.trust}`, "sec-fetch-site": "same-origin" };
  const confirm = "/api/sessions/current/confirm";
  return {
    "session as a bearer": () => account(own.session),
    "session as a cookie": () =>
      say("/api/account", { headers: { cookie: `__Host-sid=${own.session}` } }),
    "another session": () => account(own["trusted session"]),
    "personal token": () => account(own["personal token"]),
    password: () => say("/api/sessions", signIn),
    "trusted browser": () => say("/api/sessions", { ...signIn, headers: trusted }),
    "passkey's answer": () =>
      say("/api/sign-in/passkey", { body: { response: armed.passkey.signIn } }),
    "passkey's answer to confirm": () =>
      say(`${confirm}/passkey`, { token, body: { response: armed.passkey.confirm } }),
    "new passkey": () =>
      say("/api/passkeys", { token, body: { response: armed.passkey.add, name: "another" } }),
    "text message to confirm": () =>
      say(confirm, { token, body: { way: "sms", secret: armed.smsToConfirm } }),
    "code for a new address": () =>
      say("/api/account/addresses/verify", { token, body: armed.newAddress }),
  };
}

function ofApps(world: World, { person, all, userCodes }: Armed) {
  const { credentials: own } = all;
  const headers = {
    ...FORM,
    ...{ cookie: `__Host-sid=${person.token}`, "sec-fetch-site": "same-origin" },
  };
  return {
    "access token": () => ask(world, "/oauth/userinfo", { token: own["access token"] }),
    "refresh token": () => askToken(world, refreshForm(own["refresh token"])),
    "authorization code": () => askToken(world, codeForm(own["app code"], own["app verifier"])),
    "device code": () => askToken(world, deviceForm(own["device code"])),
    "code on an app's device": async () => {
      const body = formBody({ user_code: userCodes.app, answer: "allow", name: "a box" });
      return ledTo("/device", await ask(world, "/device", { method: "POST", headers, body }));
    },
  };
}

function ofSteps(world: World, { all, steps, passkey }: Armed) {
  const say = asker(world);
  const path = "/api/sign-in/second-step";
  const typed = (token: string, kind: string, code: string): Present => {
    return () => say(path, { body: { token, kind, code } });
  };
  const ofApp = () => {
    const app = new TOTP({ secret: Secret.fromBase32(all.totpSecret) });
    // Codes of the next half minute count too; the one of this has switched the app on.
    return app.generate({ timestamp: Date.now() + 30_000 });
  };
  const [, paper = "", another = ""] = all.recoveryCodes;
  const cookie = { cookie: `__Host-step=${steps.cookie}`, "sec-fetch-site": "same-origin" };
  return {
    "step with a text message": typed(all.credentials.step, "sms", all.smsCode),
    "step with an app": () => typed(steps.totp, "totp", ofApp())(),
    "step with a recovery code": typed(steps.recovery, "recovery-code", paper),
    "step as a cookie": () =>
      say(path, { headers: cookie, body: { kind: "recovery-code", code: another } }),
    "passkey's answer as a second step": () =>
      say(`${path}/passkey`, { body: { token: steps.passkey, response: passkey.step } }),
  };
}

function ofElsewhere(world: World, { person, all, life, elsewhere, trips }: Armed) {
  const done = async (fed: string, session: string | null, to: string) => {
    const sid = session === null ? "" : `; __Host-sid=${session}`;
    const headers = { cookie: `__Host-fed=${fed}${sid}` };
    return ledTo(to, await ask(world, "/sign-in/with/oidc/done", { headers }));
  };
  return {
    "account elsewhere": async () => {
      const trip = await life.leave(elsewhere, "sign in", all.linked);
      return await done(await life.comeBack(trip), null, "/sign-in/second-step");
    },
    "way to an account elsewhere": async () => {
      const { callback, fed } = trips.way;
      const headers = { cookie: `__Host-fed=${fed}` };
      const back = await ask(world, callback.pathname + callback.search, { headers });
      if (back.status !== 200) return back;
      return await done(cookieOf(back, "__Host-fed") ?? "", person.token, "/account/linked");
    },
    "way back from it, to link": () => done(trips.link, person.token, "/account/linked"),
    "way back from it, to confirm": () => done(trips.confirm, person.token, "/account"),
    "way back from it, to sign in": () => done(trips.signIn, null, "/sign-in/second-step"),
  };
}

function ofDevices(world: World, armed: Armed) {
  const { box, plain, person } = armed;
  const asApp = async (client_assertion: string) => {
    const client_assertion_type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    const body = formBody({ client_assertion, client_assertion_type, token: "x" });
    return await ask(world, "/oauth/revoke", { method: "POST", headers: FORM, body });
  };
  return {
    "visit behind a door": () =>
      box.visit("/hello", { headers: { cookie: `__Host-door=${armed.visit}` } }),
    "link of a share": () => openShare(box, armed.share.pathname),
    "what a link opened": () =>
      box.visit("/hello", { headers: { cookie: `__Host-door=${armed.opened}` } }),
    "code of a door": () => box.enter(armed.knocked),
    "token of a name": async () => {
      const host = `${box.label}.${world.ddnsZone}`;
      const basic = Buffer.from(`${host}:${armed.secret}`).toString("base64");
      const headers = { authorization: `Basic ${basic}`, "user-agent": "replay/1.0 a@b.test" };
      const { text } = await ask(world, `/nic/update?hostname=${host}&myip=192.0.2.7`, { headers });
      return { status: /^(good|nochg)/.test(text) ? 200 : 401 };
    },
    "device's assertion": async () => ({ status: await socketOf(world, plain) }),
    "device's enrolment": () => poll(world, plain.key, plain.deviceCode),
    "device as an app": async () => await asApp(await plain.clientAssertion()),
    "device's assertion as an app": () => asApp(armed.asApp),
    "code on a new device": () =>
      ask(world, "/api/enrolments/approve", {
        token: person.token,
        body: { user_code: armed.userCodes.enrolment, label: newLabel() },
      }),
  };
}

/** A device opens its socket, as far as the answer. */
async function socketOf(world: World, box: Box): Promise<number> {
  const headers = { authorization: `Bearer ${await box.assertion()}` };
  const options = { protocols: [agentSubprotocol], headers };
  try {
    const { socket, closed } = await TestSocket.open(world, agentSocketPath, options);
    socket.close();
    await closed;
    return 101;
  } catch (error) {
    return Number(/^refused with (\d{3})$/.exec((error as Error).message)?.[1]);
  }
}

/** What gives an account back to whoever reads its mail. */
function ofLinks(world: World, { all, links, steps }: Armed) {
  const say = asker(world);
  const { credentials: own } = all;
  return {
    "link that finishes a wait": () =>
      say("/api/recovery/finish", { body: { step_token: steps.lost, token: links.finish } }),
    "link that stops a wait": () => say("/api/recovery/stop", { body: { token: links.stop } }),
    "link to a new password": () =>
      say("/api/password/reset", { body: { token: own["reset link"], password: NEXT_PASSWORD } }),
    "link that takes a change back": () => say("/api/undo", { body: { token: own["undo link"] } }),
  };
}

/** A page that led elsewhere than it should has let nobody in. */
function ledTo(path: string, answer: Answer): Pick<Answer, "status"> {
  if (answer.status !== 303) return answer;
  const to = new URL(String(answer.headers.location), "http://console.invalid");
  return { status: to.pathname === path ? 303 : 401 };
}
