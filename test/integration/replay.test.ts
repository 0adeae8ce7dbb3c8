/**
 * Every credential there is, tried again: what a person holds works for who has it, once where it is for
 * once; and after its own end, and from the moment of an erasure, it opens nothing. A twin of the erased
 * person, whose credentials still work then, shows that each was tried the right way.
 */

import { Secret, TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agentSocketPath, agentSubprotocol } from "../../protocol/agent.ts";
import { deno } from "../contract/deno-process.ts";
import { Box } from "../contract/suite/box.ts";
import {
  askToken,
  codeForm,
  deviceForm,
  EVERYTHING_VARIABLES,
  Life,
  refreshForm,
  useEverything,
} from "../contract/suite/everything.ts";
import { type Answer, type Ask, ask } from "../contract/suite/http.ts";
import { newPerson } from "../contract/suite/person.ts";
import { TestSocket } from "../contract/suite/socket.ts";
import { newLabel, World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";

/** How a credential is presented, and the status of its refusal. */
type Try = readonly [refused: number, present: () => Promise<Pick<Answer, "status">>];
const NEXT_PASSWORD = "a quite different password 7";

describe.each([workerd, deno])("credentials tried again on $name", (runtime) => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(runtime, EVERYTHING_VARIABLES);
  });
  afterAll(() => world?.close());

  const say = (path: string, options: Ask = {}) => ask(world, path, options);
  const account = (token: string) => say("/api/account", { token });

  /** Somebody with every credential, each ready to be presented. */
  async function armed() {
    const person = await newPerson(world);
    const all = await useEverything(world, person, await newPerson(world));
    const box = await Box.enroll(world, person, newLabel());
    const life = new Life(world, person);
    const [first, second, third] = [
      await life.beginSignIn(),
      await life.beginSignIn(),
      await life.beginSignIn(),
    ];
    const options = async () =>
      (await say("/api/sign-in/passkey/options", { method: "POST" })).json;
    const response = await all.key.get(await options());
    const path = "/api/sign-in/second-step/passkey/options";
    const { json } = await say(path, { body: { token: third.step } });
    const steps = { recovery: first.step, totp: second.step, passkey: third.step };
    const stepResponse = await all.key.get(json);
    return { person, all, box, steps, response, stepResponse };
  }
  type Armed = Awaited<ReturnType<typeof armed>>;

  /** What may be presented as often as one likes. */
  function lasting({ person, all, box }: Armed): Record<string, Try> {
    const { credentials: own } = all;
    const { address, password } = person;
    const cookie = `__Host-sid=${own.session}`;
    const browser = { cookie: `__Host-trust=${own.trust}`, "sec-fetch-site": "same-origin" };
    const signIn = { body: { address, password } };
    return {
      "session as a bearer": [401, () => account(own.session)],
      "session as a cookie": [401, () => say("/api/account", { headers: { cookie } })],
      "another session": [401, () => account(own["trusted session"])],
      "personal token": [401, () => account(own["personal token"])],
      password: [401, () => say("/api/sessions", signIn)],
      "trusted browser": [401, () => say("/api/sessions", { ...signIn, headers: browser })],
      "access token": [401, () => userinfo(own["access token"])],
      "refresh token": [400, () => askToken(world, refreshForm(own["refresh token"]))],
      "device's assertion": [410, async () => ({ status: await agent(box) })],
    };
  }

  /** What works once. */
  function once({ all, steps, response, stepResponse }: Armed): Record<string, Try> {
    const { credentials: own } = all;
    const typed = (token: string, kind: string, code: string): (() => Promise<Answer>) => {
      return () => say("/api/sign-in/second-step", { body: { token, kind, code } });
    };
    // Codes of the next half minute count too; the one of this has switched the app on.
    const code = new TOTP({ secret: Secret.fromBase32(all.totpSecret) }).generate({
      timestamp: Date.now() + 30_000,
    });
    const password = NEXT_PASSWORD;
    return {
      "authorization code": [
        400,
        () => askToken(world, codeForm(own["app code"], own["app verifier"])),
      ],
      "device code": [400, () => askToken(world, deviceForm(own["device code"]))],
      "passkey's answer": [401, () => say("/api/sign-in/passkey", { body: { response } })],
      "passkey's answer as a second step": [
        410,
        () =>
          say("/api/sign-in/second-step/passkey", {
            body: { token: steps.passkey, response: stepResponse },
          }),
      ],
      "step with a text message": [410, typed(own.step, "sms", all.smsCode)],
      "step with an app": [410, typed(steps.totp, "totp", code)],
      "step with a recovery code": [
        410,
        typed(steps.recovery, "recovery-code", all.recoveryCodes[1] ?? ""),
      ],
      "link to a new password": [
        410,
        () => say("/api/password/reset", { body: { token: own["reset link"], password } }),
      ],
      "link that takes a change back": [
        410,
        () => say("/api/undo", { body: { token: own["undo link"] } }),
      ],
    };
  }

  const userinfo = (token: string) => say("/oauth/userinfo", { token });

  /** A device opens its socket, as far as the answer. */
  async function agent(box: Box): Promise<number> {
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

  const statuses = async (tries: Record<string, Try>) => {
    const found: Record<string, number> = {};
    for (const [name, [, present]] of Object.entries(tries)) {
      found[name] = (await present()).status;
    }
    return found;
  };
  const refusals = (tries: Record<string, Try>) =>
    Object.fromEntries(Object.entries(tries).map(([name, [refused]]) => [name, refused]));
  const works = (tries: Record<string, Try>) =>
    Object.fromEntries(Object.keys(tries).map((name) => [name, expect.toSatisfy(isFine)]));
  const isFine = (status: number) => status < 400;

  it("[RGT-14] open nothing from the moment of the erasure", { timeout: 120_000 }, async () => {
    const [gone, twin] = [await armed(), await armed()];
    const { token, password } = gone.person;
    const tries = { ...lasting(gone), ...once(gone) };
    const erase = { method: "DELETE", token, body: { password } };
    expect((await say("/api/account", erase)).status).toBe(204);
    expect(await statuses(tries)).toEqual(refusals(tries));
    const others = { ...lasting(twin), ...once(twin) };
    expect(await statuses(others)).toEqual(works(others));
    // What is for once was used; the reset and the taking back ended the rest.
    const used = once(twin);
    expect(await statuses(used)).toEqual(refusals(used));
  });

  it("[RGT-14] open nothing once each was ended by itself", { timeout: 120_000 }, async () => {
    const one = await armed();
    const own = { token: one.person.token };
    const end = async (path: string, token = own.token) => {
      const answer = await say(path, { method: "DELETE", token });
      expect([path, answer.status]).toEqual([path, 204]);
    };
    const endAll = async (path: string, kind: string) => {
      const list = (await say(path, own)).json[kind] as { id: string }[];
      expect(list).not.toEqual([]);
      for (const { id } of list) await end(`${path}/${id}`);
    };
    await end("/api/sessions/current", one.all.credentials["trusted session"]);
    await endAll("/api/tokens", "tokens");
    await endAll("/api/grants", "grants");
    await endAll("/api/account/trusted-browsers", "trusted_browsers");
    await endAll("/api/passkeys", "passkeys");
    await endAll("/api/devices", "devices");
    const kept = lasting(one);
    const found = await statuses(kept);
    expect(found).toEqual({
      ...refusals(kept),
      "session as a bearer": 200,
      "session as a cookie": 200,
      password: 202,
      "trusted browser": 202, // asked for the second step again
    });
    const { "authorization code": code, "device code": device, ...rest } = once(one);
    const ended = { code, device, passkey: rest["passkey's answer"] } as Record<string, Try>;
    expect(await statuses(ended)).toEqual(refusals(ended));
    for (const kind of ["totp", "sms"]) await end(`/api/account/second-steps/${kind}`);
    const { "step with an app": app, "step with a text message": sms } = rest;
    const steps = { app, sms } as Record<string, Try>;
    expect(await statuses(steps)).toEqual(refusals(steps));
    await end("/api/sessions/current");
    const { token } = own;
    const cookie = `__Host-sid=${token}`;
    expect((await account(token)).status).toBe(401);
    expect((await say("/api/account", { headers: { cookie } })).status).toBe(401);
  });
});
