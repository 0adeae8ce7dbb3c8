/**
 * The promises of absence, on a whole running edge with two regions: everything is used for real, then
 * ended, and the bytes of the whole data folder are searched, while it runs and after it was closed.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agentSocketPath, agentSubprotocol } from "../../protocol/agent.ts";
import { crc32OfAscii } from "../../protocol/tokens.ts";
import { buildConsole } from "../../scripts/build-console.ts";
import type { Runtime } from "../contract/runtime.ts";
import { Box } from "../contract/suite/box.ts";
import {
  type Everything,
  everythingVariables,
  useEverything,
} from "../contract/suite/everything.ts";
import { ask, cookieOf } from "../contract/suite/http.ts";
import { newPerson, type Person, tokenInMail } from "../contract/suite/person.ts";
import { type HomeService, startHomeService } from "../contract/suite/service.ts";
import { TestSocket } from "../contract/suite/socket.ts";
import { newLabel, World } from "../contract/suite/world.ts";
import { newMarker, search } from "../support/canary.ts";
import { type Elsewhere, startOidcProvider } from "../support/elsewhere.ts";
import { keysFoundIn, keysIn, newKeysIn } from "../support/key-files.ts";
import { withMetadata } from "../support/pictures.ts";
import { objectsOnDisk, tablesOnDisk, twoRegions } from "./two-regions.ts";

let world: World;
let service: HomeService;
let elsewhere: Elsewhere;
beforeAll(async () => {
  await buildConsole();
  service = await startHomeService();
});
afterAll(() => service?.close());

/** Runs on an edge of its own. */
function on(runtime: Runtime): void {
  beforeAll(async () => {
    elsewhere = await startOidcProvider(() => [world.origin]);
    world = await World.create(runtime, everythingVariables(elsewhere));
  });
  afterAll(async () => {
    await world?.close();
    await elsewhere?.close();
  });
}

/** Goes in by the door as a signed-in browser does; the visit's cookie and all that led to it. */
async function enter(box: Box, visitor: Person) {
  const way = await box.knock(visitor.token);
  const door = cookieOf(await box.enter(way), "__Host-door") ?? "";
  const { nonce, code } = way;
  expect([nonce, door, code]).not.toContain("");
  return { nonce, door, code };
}

/** A person who uses all there is; with it every text that is theirs. */
async function livedIn(region: string) {
  const person = await signUpIn(region);
  const userAgent = newMarker();
  const again = await ask(world, "/api/sessions", {
    body: { address: person.address, password: person.password },
    headers: { "user-agent": userAgent },
  });
  const box = await Box.enroll(world, person, newLabel());
  const agent = newMarker();
  const socket = await TestSocket.open(world, agentSocketPath, {
    protocols: [agentSubprotocol],
    headers: { authorization: `Bearer ${await box.assertion()}`, "user-agent": agent },
  });
  await box.switch("name", true);
  await box.switch("link", true);
  const secret = await box.nameToken();
  const text = newMarker();
  const record = { owner: "", type: "TXT", values: [text] };
  expect((await box.ask("/name/records", "PUT", record)).status).toBe(204);
  const address = "2001:db8:4711:815:feed:cafe:42:99";
  const host = `${box.label}.${world.ddnsZone}`;
  const authorization = `Basic ${Buffer.from(`${host}:${secret}`).toString("base64")}`;
  const updated = await ask(world, `/nic/update?hostname=${host}&myip=${address}`, {
    headers: { authorization, "user-agent": "privacy/1.0 test@example.test" },
  });
  expect(updated.text).toContain("good");
  socket.socket.close();
  await socket.closed;
  const serving = await box.serve(service.origin);
  const visited = await enter(box, person);
  const file = newMarker();
  const upload = newMarker();
  const cookie = `__Host-door=${visited.door}`;
  await box.visit(`/hello?${file}`, { headers: { cookie, "x-note": upload } });
  const sent = { headers: { cookie, "sec-fetch-site": "same-origin" }, body: upload };
  expect((await box.visit("/hash", sent)).status).toBe(200);
  const markers = {
    address: person.address,
    "local part": person.address.split("@")[0] ?? "",
    password: person.password,
    session: person.token,
    "second session": again.json.token,
    "browser's name": userAgent,
    "agent's name": agent,
    label: box.label,
    "update secret": secret,
    "name's address": address,
    "name's text": text,
    ...visited,
    "visited file": file,
    upload,
  };
  return { person, box, markers, serving, host, second: again.json.token as string };
}

/** Signs up in a region, by mail. */
async function signUpIn(region: string): Promise<Person> {
  const address = `${newMarker()}@example.test`;
  const password = `${newMarker()} Aa1`;
  await ask(world, "/api/sign-up", { body: { address, password, region } });
  const token = await tokenInMail(world, address);
  const opened = await ask(world, "/api/sign-up/verify", { body: { token, password } });
  expect(opened.status).toBe(201);
  return { address, password, accountId: opened.json.account_id, token: opened.json.token };
}

/**
 * Which kinds of codes lie in clear in the data folder. Six digits also come about by chance, in some
 * number or hash: a kind is kept when all of its codes are there.
 */
async function keptCodes(codes: Everything["codes"], control: string): Promise<string[]> {
  const kept: string[] = [];
  for (const [kind, sent] of Object.entries(codes)) {
    expect(sent.every((code) => /^\d{6}$/.test(code))).toBe(true);
    const markers = Object.fromEntries(sent.map((code, at) => [`${at}`, code]));
    const hits = await search({ folder: world.data, markers, controls: { control } });
    const raw = hits.filter(({ encoding }) => encoding === "raw");
    if (new Set(raw.map(({ marker }) => marker)).size === sent.length) kept.push(kind);
  }
  return kept;
}

/** Looks for the markers while the edge runs, and again after it was closed and opened. */
async function searchTwice(markers: Record<string, string>, controls: Record<string, string>) {
  await world.sweep(); // on Deno it empties the write-ahead logs
  const running = await search({ folder: world.data, markers, controls });
  await world.restart();
  return [...running, ...(await search({ folder: world.data, markers, controls }))];
}

describe.each(twoRegions)("an erased account on $name", (runtime) => {
  on(runtime);

  it("[RGT-4] is in no byte of any store, and nothing of it comes back", {
    timeout: 300_000,
  }, async () => {
    const friend = await newPerson(world); // the first person brings the directory's own key
    const helper = await newPerson(world); // and the first who signs in to an app those of OpenID
    await useEverything(world, helper, friend, elsewhere);
    const strangers = await keysIn(world.data);
    const leaving = await livedIn("eu");
    const { person, box } = leaving;
    const all = await useEverything(world, person, friend, elsewhere);
    const markers = { ...leaving.markers, ...all.markers };
    const theirKeys = await newKeysIn(world.data, strangers);
    const staying = await livedIn("eu");
    await useEverything(world, staying.person, friend, elsewhere);
    expect(theirKeys.length).toBeGreaterThan(1);
    expect(await keysFoundIn(world.data, theirKeys)).toEqual(theirKeys);
    // The control of the search itself: the label is there while the device is.
    const { label, ...sealed } = markers;
    const before = await search({ folder: world.data, markers, controls: { label } });
    expect(new Set(before.map((hit) => hit.marker))).toEqual(new Set(["label"]));
    expect(await keptCodes(all.codes, label)).toEqual([]);
    expect(await keysFoundIn(world.data, all.bytes)).toEqual([]);

    const body = { password: person.password };
    const erase = { method: "DELETE", token: person.token, body };
    expect((await ask(world, "/api/account", erase)).status).toBe(204);
    for (const token of [person.token, leaving.second]) {
      expect((await ask(world, "/api/account", { token })).status).toBe(401);
    }
    expect(await leaving.serving.closed).toBe(4002);
    expect((await box.visit("/hello")).status).toBe(404);
    const ended = staying.serving.closed;
    const controls = { label: staying.box.label, account: staying.person.accountId };
    expect(await searchTwice({ ...sealed, label }, controls)).toEqual([]);
    // Its identifier, which says nothing, may outlive it in a freed page of a local D1; in no row.
    const rows = JSON.stringify(await tablesOnDisk(world));
    expect(rows).toContain(staying.person.accountId);
    expect(rows).not.toContain(person.accountId);
    // A link to a new password waits under a key that is not the person's: who tries it ends both, and
    // else its fifteen minutes do.
    const reset = { token: all.credentials["reset link"], password: person.password };
    expect((await ask(world, "/api/password/reset", { body: reset })).status).toBe(410);
    // What stays sealed somewhere stays sealed for ever: no byte of a key of theirs is left.
    expect(await keysFoundIn(world.data, [...theirKeys, ...all.bytes])).toEqual([]);
    staying.serving.socket.terminate();
    await ended;

    const { address, password } = person;
    expect((await ask(world, "/api/sessions", { body: { address, password } })).status).toBe(401);
    await ask(world, "/api/sign-up", { body: { address, password } });
    const token = await tokenInMail(world, address);
    const opened = await ask(world, "/api/sign-up/verify", { body: { token, password } });
    const back = { token: opened.json.token as string };
    expect(opened.json.account_id).not.toBe(person.accountId);
    expect((await ask(world, "/api/devices", back)).json.devices).toEqual([]);
    expect((await ask(world, "/api/sessions", back)).json.sessions).toHaveLength(1);
    const held = (await ask(world, "/api/account/holdings", back)).json.holdings;
    expect(held.map((entry: { class: string }) => entry.class)).toEqual([
      "account",
      "contact address",
      "credential",
      "activity",
      "session",
      "directory entry",
      "person key",
    ]);
    expect((await staying.box.ask("")).status).toBe(200);
  });
});

describe.each(twoRegions)("a device on $name", (runtime) => {
  on(runtime);

  it("[CON-11] that is unregistered is in no byte, and its owner keeps the rest", async () => {
    const { person, box, markers } = await livedIn("home");
    const other = await Box.enroll(world, person, newLabel());
    const { label, agent, secret, address } = {
      label: box.label,
      agent: markers["agent's name"],
      secret: markers["update secret"],
      address: markers["name's address"],
    };
    const gone = { label, agent, secret, address, door: markers.door, code: markers.code };
    expect((await box.ask("", "DELETE")).status).toBe(204);
    expect(await searchTwice(gone, { label: other.label })).toEqual([]);
    expect((await box.ask("")).status).toBe(404);
    expect((await other.ask("")).status).toBe(200);
  });

  it("[FEA-4] [FEA-7] keeps nothing of a feature that was switched off", async () => {
    const { person, box, markers, host } = await livedIn("home");
    const classes = async () => {
      const answer = await ask(world, "/api/account/holdings", { token: person.token });
      const held = answer.json.holdings as { class: string; device_id: string | null }[];
      return held.filter((entry) => entry.device_id === box.id).map((entry) => entry.class);
    };
    expect(await classes()).toEqual(
      expect.arrayContaining(["name record", "door visit", "connection record"]),
    );
    await box.switch("name", false);
    expect(await classes()).not.toContain("name record");
    expect(await classes()).toContain("door visit");
    const door = { headers: { cookie: `__Host-door=${markers.door}` } };
    expect((await box.visit("/hello", door)).status).toBe(200);
    await box.switch("link", false);
    // Who may come in is said of the device, and stays for the day the door is opened again.
    expect(await classes()).toEqual(["directory entry", "device", "access"]);
    expect((await box.visit("/hello", door)).status).toBe(404);
    const { label, ...gone } = markers;
    expect(await searchTwice(gone, { label })).toEqual([]);

    await box.switch("name", true);
    await box.switch("link", true);
    const device = (await box.ask("")).json;
    expect(device.name).toMatchObject({ ipv6: null, tokens: 0 });
    const old = `Basic ${Buffer.from(`${host}:${markers["update secret"]}`).toString("base64")}`;
    const headers = { authorization: old, "user-agent": "privacy/1.0 test@example.test" };
    const again = await ask(world, `/nic/update?hostname=${host}&myip=192.0.2.7`, { headers });
    expect(again.text).toContain("badauth");
    expect((await box.visit("/hello", door)).status).toBe(401);
  });
});

describe("[LOC-2] with two regions", () => {
  on(twoRegions[0] as Runtime);

  const regionsIn = (value: unknown) =>
    new Set(
      [...JSON.stringify(value).matchAll(/"(?:acc|ses|idn)_([a-z0-9]+)_/g)].map(([, id]) => id),
    );

  it("keeps a person's rows in the person's region and nowhere else", async () => {
    const [eu, home] = [await livedIn("eu"), await livedIn("home")];
    for (const { person, box } of [eu, home]) {
      const other = person === eu.person ? home : eu;
      await box.ask("/access", "PUT", { mode: "listed" });
      const listed = await box.ask(`/access/people/${other.person.accountId}`, "PUT");
      expect(listed.status).toBe(200);
    }
    expect(eu.person.accountId).toMatch(/^acc_eu_/);
    expect([eu.box.id, eu.person.token]).toEqual([
      expect.stringMatching(/^dev_eu_/),
      expect.stringMatching(/^lk_ses_eu_/),
    ]);
    const own = await ask(world, "/api/account", { token: eu.person.token });
    expect(own.json).toMatchObject({ region: "eu", region_title: "Europe" });

    const databases = (await tablesOnDisk(world)).filter((tables) => "account" in tables);
    expect(databases).toHaveLength(2);
    for (const { person } of [eu, home]) {
      const holding = databases.filter((tables) =>
        JSON.stringify(tables).includes(person.accountId),
      );
      expect(holding).toHaveLength(1);
      const [region] = holding as [Record<string, { account_id?: string }[]>];
      expect(regionsIn(region)).toEqual(new Set([person === eu.person ? "eu" : "home"]));
      for (const table of ["account", "identifier", "password", "session", "device_guest"]) {
        expect(JSON.stringify(region[table]), table).toContain(person.accountId);
      }
    }
    const [directory] = (await tablesOnDisk(world)).filter((tables) => "contact" in tables);
    const service = ["acme_account", "acme_slot", "d1_migrations", "signing_key", "zone_key"];
    const held = ["certificate_order", "contact", "label", "linked", ...service].sort();
    expect(Object.keys(directory ?? {}).sort()).toEqual(held);
    for (const { serving } of [eu, home]) serving.socket.terminate();
  });

  it("refuses a token in any region but its own, and a region that is none", async () => {
    const { token } = await newPerson(world);
    expect((await ask(world, "/api/account", { token })).status).toBe(200);
    for (const region of ["eu", "mars"]) {
      const body = token.slice(0, -6).replace("_home_", `_${region}_`);
      expect((await ask(world, "/api/account", { token: body + checksum(body) })).status).toBe(401);
    }
    const address = `${newMarker()}@example.test`;
    const refused = await ask(world, "/api/sign-up", {
      body: { address, password: `${newMarker()} Aa1`, region: "mars" },
    });
    expect([refused.status, refused.json.code]).toEqual([422, "region-unknown"]);
    const stray = await ask(world, "/api/devices/dev_mars_0123456789abcdef", { token });
    expect(stray.status).toBe(404);
  });

  /** The token's own checksum, so that it is refused for its region and for nothing else. */
  function checksum(body: string): string {
    const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let value = crc32OfAscii(body);
    return Array.from({ length: 6 }, () => {
      const digit = digits[value % 62];
      value = Math.floor(value / 62);
      return digit;
    })
      .reverse()
      .join("");
  }
});

describe.each(twoRegions)("[LOC-2] the objects of two regions on $name", (runtime) => {
  on(runtime);

  it("lie each in its own region's store, photos apart from keys, and go with their account", async () => {
    const people = [await withPhoto("eu"), await withPhoto("home")];
    // The last one leaves a proof behind.
    const leaver = await withPhoto("eu");
    const body = { password: leaver.password };
    await ask(world, "/api/account", { method: "DELETE", token: leaver.token, body });
    const stores = await objectsOnDisk(world);
    const held = stores.map(({ names }) => {
      const kinds = names.map((name) => `${name.split("/")[0]} ${/_(eu|home)_/.exec(name)?.[1]}`);
      return [...new Set(kinds)].sort().join(", ");
    });
    const keys = "feature eu, person eu";
    expect(held.sort()).toEqual([
      ...(runtime.name === "Deno" ? ["done eu", keys] : ["feature eu, ledger eu, person eu"]),
      "feature home, person home",
      "photo eu",
      "photo home",
      "system undefined",
    ]);
    for (const { accountId } of people) {
      const theirs = stores.flatMap(({ names }) =>
        names.filter((name) => name.includes(accountId)),
      );
      expect(theirs.sort()).toEqual([`person/${accountId}`, `photo/${accountId}`]);
    }
    expect(JSON.stringify(stores)).not.toContain(leaver.accountId);
  });

  /** Somebody with a photo and a device whose connections are noted under a key of its own. */
  async function withPhoto(region: string): Promise<Person> {
    const person = await signUpIn(region);
    const { token } = person;
    const sent = { method: "PUT", token, body: withMetadata("png") };
    expect((await ask(world, "/api/account/photo", sent)).status).toBe(204);
    const shown = await ask(world, `/api/people/${person.accountId}/photo`, { token });
    expect([shown.status, shown.headers["content-type"]]).toEqual([200, "image/png"]);
    const box = await Box.enroll(world, person, newLabel());
    await box.switch("link", true);
    const { socket, closed } = await box.serve(service.origin);
    socket.close();
    await closed;
    return person;
  }
});

describe("what anyone may see", () => {
  on(twoRegions[0] as Runtime);

  it("[PRI-3] [LOC-1] is the policy, with the places, in a form for machines", async () => {
    const { json } = await ask(world, "/api/policy");
    expect(json.regions).toEqual([
      { id: "home", title: "At home" },
      { id: "eu", title: "Europe" },
    ]);
    for (const feature of json.features) {
      for (const entry of feature.classes) {
        const { title, holds, why, live, copies, seenBy, deletedBy, place } = entry;
        const said = [title, holds, why, live, copies, seenBy, deletedBy, place];
        expect(said.every((text) => typeof text === "string" && text !== "")).toBe(true);
      }
    }
  });

  it("[DLY-1] is how late deletions are, in numbers only", async () => {
    await world.sweep();
    const { json } = await ask(world, "/api/operations/retention");
    expect(json.lanes.map((lane: { lane: string }) => lane.lane)).toEqual(
      expect.arrayContaining(["region.session", "directory.label", "erasure", "ledger"]),
    );
    for (const lane of json.lanes) {
      expect(lane.overdue_ms).toBe(0);
      expect(lane.ran_at).toMatch(/^\d{4}-/);
    }
  });
});
