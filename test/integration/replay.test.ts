/**
 * Every credential there is, tried again: what a person holds works for who has it, once where it is for
 * once; and after its own end, and from the moment of an erasure, it opens nothing. A twin of the erased
 * person, whose credentials still work then, shows that each was tried the right way.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dataMap } from "../../db/data-map/map.ts";
import { cookieMap } from "../../db/data-map/outside.ts";
import { ceremonyKinds } from "../../db/schema/region/passkeys.ts";
import { challengeKinds } from "../../db/schema/region/sign-in.ts";
import { tokenKinds } from "../../protocol/tokens.ts";
import { signInMethods } from "../../workers/sign-in/requirements.ts";
import { deno } from "../contract/deno-process.ts";
import { type Armed, type Around, arm, peopleWhoWaited } from "../contract/suite/armed.ts";
import {
  type CredentialName,
  type CredentialRow,
  credentialNames,
  credentialRows,
  otherwiseProved,
} from "../contract/suite/credentials.ts";
import { formOf, pathOf, Someone } from "../contract/suite/elsewhere.ts";
import { everythingVariables } from "../contract/suite/everything.ts";
import { ask } from "../contract/suite/http.ts";
import { codeIn } from "../contract/suite/life.ts";
import { tokenInMail } from "../contract/suite/person.ts";
import { presented } from "../contract/suite/presented.ts";
import { startHomeService } from "../contract/suite/service.ts";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { newMarker } from "../support/canary.ts";
import { startOidcProvider } from "../support/elsewhere.ts";

const rows: Readonly<Record<CredentialName, CredentialRow>> = credentialRows;
const lasting = credentialNames.filter((name) => !rows[name].once);
const once = credentialNames.filter((name) => rows[name].once);
/** Shown to work by people of their own: one undoes what the other is for, and tries are counted. */
const alone = {
  waited: ["link that finishes a wait"],
  stopped: ["passkey's answer to confirm", "text message to confirm", "link that stops a wait"],
} as const satisfies Record<string, readonly CredentialName[]>;

type Statuses = Record<string, number>;

async function statuses(world: World, armed: Armed, names: readonly CredentialName[]) {
  const ways = presented(world, armed);
  const found: Statuses = {};
  for (const name of names) found[name] = (await ways[name]()).status;
  return found;
}

/** What of `found` did not work; names that are to work. */
const failed = (found: Statuses) =>
  Object.fromEntries(Object.entries(found).filter(([, status]) => status >= 400));

/** What of `found` was not refused as its row says. */
const admitted = (found: Statuses) =>
  Object.fromEntries(
    Object.entries(found).filter(
      ([name, status]) => !rows[name as CredentialName].refused.includes(status),
    ),
  );

describe("the table of credentials", () => {
  /** Every kind of thing that may let somebody in, wherever it is declared. */
  const tables = { ...dataMap.region, ...dataMap.directory, ...dataMap.device };
  const hashes = Object.entries(tables).flatMap(([table, { columns }]) =>
    Object.entries(columns)
      .filter(([name, { kind }]) => /hash$/.test(kind) || /hash$/.test(name))
      .map(([name]) => `${table}.${name}`),
  );
  const kinds = [
    ...tokenKinds.map((kind) => `lk_${kind}`),
    ...Object.keys(cookieMap),
    ...hashes,
    ...challengeKinds.map((kind) => `challenge ${kind}`),
    ...ceremonyKinds.map((kind) => `ceremony ${kind}`),
    ...signInMethods.map((method) => `method ${method}`),
  ];

  it("has a row for every kind, once, and no row for what there is not", () => {
    const held = credentialNames.flatMap((name) => rows[name].holds);
    expect([...held, ...Object.keys(otherwiseProved)].sort()).toEqual(kinds.sort());
  });
});

describe.each([workerd, deno])("credentials tried again on $name", (runtime) => {
  let around: Around;
  let world: World;
  beforeAll(async () => {
    const elsewhere = await startOidcProvider(() => [world.origin]);
    world = await World.create(runtime, everythingVariables(elsewhere));
    around = { world, elsewhere, service: await startHomeService() };
  });
  afterAll(async () => {
    await world?.close();
    await around?.elsewhere.close();
    await around?.service.close();
  });

  const end = async (path: string, token: string, body?: object) => {
    const answer = await ask(world, path, { method: "DELETE", token, ...(body && { body }) });
    expect([path, answer.status]).toEqual([path, 204]);
  };

  /** Each works, and works no more. */
  async function usesUp(armed: Armed, names: readonly CredentialName[]): Promise<void> {
    for (const name of names) {
      const used = await statuses(world, armed, [name]);
      expect(failed(used)).toEqual({});
      expect(admitted(await statuses(world, armed, [name]))).toEqual({});
    }
  }

  it("[RGT-14] open nothing from the moment of the erasure", { timeout: 240_000 }, async () => {
    const [first, second, third, fourth] = await peopleWhoWaited(around, 4);
    if (!first || !second || !third || !fourth) throw new Error("four people");
    const gone = await arm(around, first);
    await end("/api/account", gone.person.token, { password: gone.person.password });
    expect(admitted(await statuses(world, gone, credentialNames))).toEqual({});

    const twin = await arm(around, second);
    const others: CredentialName[] = [...alone.waited, ...alone.stopped];
    expect(failed(await statuses(world, twin, lasting))).toEqual({});
    await usesUp(
      twin,
      once.filter((name) => !others.includes(name)),
    );
    const [waited, stopped] = [await arm(around, third), await arm(around, fourth)];
    await usesUp(waited, alone.waited);
    await usesUp(stopped, alone.stopped);
    for (const { socket } of [gone, twin, waited, stopped]) socket.terminate();
  });

  it("[RGT-14] open nothing once each was ended by itself", { timeout: 240_000 }, async () => {
    const [waiting] = await peopleWhoWaited(around, 1);
    if (!waiting) throw new Error("one person");
    const one = await arm(around, waiting);
    const { token } = one.person;
    const endAll = async (path: string, kind: string) => {
      const list = (await ask(world, path, { token })).json[kind] as { id: string }[];
      expect(list).not.toEqual([]);
      for (const { id } of list) await end(`${path}/${id}`, token);
    };
    const refused = async (...names: CredentialName[]) =>
      expect(admitted(await statuses(world, one, names))).toEqual({});
    await end("/api/sessions/current", one.all.credentials["trusted session"]);
    await refused("another session", "visit behind a door");
    await end("/api/account/recovery", token);
    await refused("link that finishes a wait", "link that stops a wait");
    await endAll("/api/tokens", "tokens");
    await endAll("/api/grants", "grants");
    await endAll("/api/account/trusted-browsers", "trusted_browsers");
    await endAll("/api/account/linked", "linked");
    await refused("account elsewhere", "way back from it, to sign in");
    await refused("way back from it, to confirm");
    await endAll("/api/passkeys", "passkeys");
    await end(`${one.box.path}/shares/${one.share.id}`, token);
    await refused("link of a share", "what a link opened");
    await endAll("/api/devices", "devices");
    const found = await statuses(world, one, lasting);
    const { password, "trusted browser": trusted, ...rest } = found;
    expect([password, trusted]).toEqual([202, 202]); // asked for the second step again
    const { "session as a bearer": bearer, "session as a cookie": cookie, ...ended } = rest;
    expect([bearer, cookie]).toEqual([200, 200]);
    expect(admitted(ended)).toEqual({});
    await refused("authorization code", "device code", "passkey's answer", "code of a door");
    await refused("passkey's answer to confirm", "device's assertion as an app");
    for (const kind of ["totp", "sms"]) await end(`/api/account/second-steps/${kind}`, token);
    await refused("step with an app", "step with a text message", "step as a cookie");
    await refused("text message to confirm");
    await end("/api/sessions/current", token);
    await refused("session as a bearer", "session as a cookie", "new passkey");
    await refused("way to an account elsewhere", "way back from it, to link");
    await refused("code for a new address", "code on a new device", "code on an app's device");
    one.socket.terminate();
  });

  describe("of a sign-up", () => {
    const password = `${newMarker()} Aa1`;
    const signUp = async (address: string) =>
      (await ask(world, "/api/sign-up", { body: { address, password } })).json;
    const verify = (body: object) => ask(world, "/api/sign-up/verify", { body });

    const ways: Record<string, () => Promise<object>> = {
      "link in a mail": async () => {
        const address = `${newMarker()}@example.test`;
        await signUp(address);
        return { token: await tokenInMail(world, address), password };
      },
      "code in a text message": async () => {
        const phone = `+43660${String(Date.now()).slice(-8)}`;
        const { token } = await signUp(phone);
        return { token, code: codeIn(await world.mailbox.next(phone)) };
      },
    };
    it.each(Object.entries(ways))("[RGT-14] a %s opens one account, once", async (_, shown) => {
      const body = await shown();
      const opened = await verify(body);
      expect([opened.status, (await verify(body)).status]).toEqual([201, 410]);
      await end("/api/account", opened.json.token, { password });
      expect((await verify(body)).status).toBe(410);
    });

    it("[RGT-14] a link for an account elsewhere opens one account, once", async () => {
      const someone = new Someone(world, around.elsewhere, `unchecked.${newMarker()}`);
      await someone.console.submit(formOf(await someone.enter()));
      const mail = await world.mailbox.next(someone.address);
      const link = new URL(/http\S+/.exec(mail.text)?.[0] ?? "");
      const page = await someone.console.open(link);
      await someone.goAndReturn(await someone.console.submit(formOf(page)));
      const { token } = someone;
      expect(await someone.account()).not.toBeNull();
      const again = async () => {
        const other = new Someone(world, around.elsewhere, someone.name);
        const left = await other.console.submit(formOf(await other.console.open(link)));
        return [left.status, await other.account()];
      };
      expect(await again()).toEqual([410, null]);
      await end("/api/account", token, {});
      expect(await again()).toEqual([410, null]);
      const stranger = new Someone(world, around.elsewhere, someone.name);
      expect(pathOf(await stranger.enter())).toBe("/sign-up/with/oidc");
    });
  });
});
