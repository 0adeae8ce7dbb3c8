/**
 * The data map against the live schema: two databases, a registered device's object, the object
 * store, a socket's attachment, the log and what left. Each kind of violation is planted once, so
 * that a gate which lets everything pass fails here.
 */

import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { classes } from "../../db/data-map/classes.ts";
import { introspect, type Live, violations } from "../../db/data-map/gate.ts";
import { type DataMap, dataMap } from "../../db/data-map/map.ts";
import {
  type DeviceStub,
  peerHeader,
  type Way,
  wayHeader,
} from "../../durable-objects/device/rpc.ts";
import type { LimiterObject } from "../../durable-objects/limiter/index.ts";
import { systemClock, systemRandom } from "../../durable-objects/system.ts";
import { signAssertion } from "../../protocol/assertion.ts";
import { newId } from "../../protocol/ids.ts";
import { base64url } from "../../protocol/tokens.ts";
import { testPorts } from "../support/ports.ts";
import { objects } from "./buckets.ts";

const bindings = env as unknown as {
  DIRECTORY: D1Database;
  DB_HOME: D1Database;
  DEVICES: DurableObjectNamespace;
  LIMITER: DurableObjectNamespace<LimiterObject>;
  ZONE: DurableObjectNamespace;
};

const ORIGIN = "http://localhost:8787";
const tablesOf = (database: D1Database) =>
  introspect(async (query) => (await database.prepare(query).all()).results as object[]);

/** Opens a socket to the object, as the edge hands one on. */
async function connect(
  device: DeviceStub,
  way: Way,
  headers: Record<string, string>,
): Promise<WebSocket> {
  const response = await device.fetch(
    new Request(`${ORIGIN}/`, { headers: { upgrade: "websocket", [wayHeader]: way, ...headers } }),
  );
  if (response.webSocket === null) throw new Error(`no socket: ${response.status}`);
  response.webSocket.accept();
  return response.webSocket;
}

/** Registers a device, uses every store once, and looks at what is there. */
async function look(): Promise<Live> {
  const { ports, lines, egress } = testPorts({ env });
  const deviceId = newId("dev", "home", systemRandom.bytes);
  const accountId = newId("acc", "home", systemRandom.bytes);
  const device = ports.devices.get(deviceId);
  const pair = (await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const raw = (await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer;
  const publicKey = base64url(new Uint8Array(raw));
  await device.register({ deviceId, accountId, publicKey, label: "nas" });
  const assertion = await signAssertion(pair.privateKey, deviceId, ORIGIN, systemClock.now());
  const agent = {
    authorization: `Bearer ${assertion}`,
    "user-agent": "a",
    [peerHeader]: "192.0.2.9",
  };
  const sockets = [await connect(device, "agent", agent), await connect(device, "watch", {})];
  await device.setFeature("name", true);
  await device.updateAddresses({ secret: null, ipv4: { set: "192.0.2.1" }, ipv6: "keep" });
  await ports.sealer.seal(`person/${accountId}`, "identifier.address:x", "a@b.example");
  await ports.directory.claimLabel("nas", deviceId);
  await ports.blobs.put(`photo/${accountId}`, systemRandom.bytes(1));
  await ports.ledger.put(`open/${newId("era", "home", systemRandom.bytes)}`, "{}");
  await ports.mail.send({ to: "a@b.example", subject: "Hello", text: "Hello" });
  ports.log({ event: "internal-error", code: "Error" });
  const object = bindings.DEVICES.getByName(deviceId);
  const inside = await runInDurableObject(object, async (_, state) => ({
    tables: await introspect((query) => state.storage.sql.exec(query).toArray()),
    attachments: state.getWebSockets().map((socket) => socket.deserializeAttachment()),
  }));
  for (const socket of sockets) socket.close();
  const counter = bindings.LIMITER.getByName("planted");
  await counter.take(1, 60_000);
  const limiter = await runInDurableObject(counter, (_, state) =>
    introspect((query) => state.storage.sql.exec(query).toArray()),
  );
  const zone = await runInDurableObject(bindings.ZONE.getByName("zone"), (_, state) =>
    introspect((query) => state.storage.sql.exec(query).toArray()),
  );
  return {
    region: await tablesOf(bindings.DB_HOME),
    directory: await tablesOf(bindings.DIRECTORY),
    device: inside.tables,
    limiter,
    zone,
    attachments: inside.attachments,
    objects: await objects(),
    cookies: [],
    log: lines,
    egress,
  };
}

describe("[PRI-5] the gate of the data map", () => {
  let live: Live;
  beforeAll(async () => {
    live = await look();
  });

  it("passes the real schema, objects, log and egress", () => {
    expect(violations(live)).toEqual([]);
    expect(live.objects.map(({ name }) => name.split("/")[0])).toEqual(
      expect.arrayContaining(["person", "feature", "photo", "system", "ledger"]),
    );
    expect(live.attachments).toHaveLength(2);
    expect(live.egress).toHaveLength(1);
    expect(live.log).toHaveLength(1);
  });

  it("finds a planted column and a planted table in each real database", async () => {
    await bindings.DB_HOME.prepare("ALTER TABLE session ADD COLUMN planted TEXT").run();
    await bindings.DIRECTORY.prepare("CREATE TABLE planted (id TEXT PRIMARY KEY)").run();
    const found = violations({
      ...live,
      region: await tablesOf(bindings.DB_HOME),
      directory: await tablesOf(bindings.DIRECTORY),
    });
    expect(found).toEqual([
      "region column session.planted is not declared",
      "directory table planted is not declared",
    ]);
  });

  it("finds a planted table in a device's object", async () => {
    const name = newId("dev", "home", systemRandom.bytes);
    const tables = await runInDurableObject(bindings.DEVICES.getByName(name), (_, state) => {
      state.storage.sql.exec("CREATE TABLE planted (id TEXT PRIMARY KEY)");
      return introspect((query) => state.storage.sql.exec(query).toArray());
    });
    expect(violations({ ...live, device: { ...live.device, ...tables } })).toEqual([
      "device table planted is not declared",
    ]);
  });

  it("finds what is declared, but not there", () => {
    const { session, ...others } = live.region;
    expect(violations({ ...live, region: others })).toEqual([
      "region table session is declared, but is not there",
    ]);
    const shorter = { ...session, columns: ["id"] } as typeof session & { columns: string[] };
    expect(
      violations({ ...live, region: { ...live.region, session: shorter as never } }),
    ).toContain("region column session.client_sealed is declared, but is not there");
  });

  it("fails on an empty map, and on each emptied part of it", () => {
    const nothing = Object.fromEntries(Object.keys(dataMap).map((part) => [part, {}]));
    expect(violations(live, nothing as unknown as DataMap).length).toBeGreaterThan(20);
    for (const part of Object.keys(dataMap) as (keyof DataMap)[]) {
      expect(violations(live, { ...dataMap, [part]: {} }), part).not.toEqual([]);
    }
  });

  it("finds what is set, written, sent or kept without a declaration", () => {
    const accountId = newId("acc", "home", systemRandom.bytes);
    const planted: [Partial<Live>, string][] = [
      [{ cookies: ["tracker"] }, "cookie tracker is not declared"],
      [
        { objects: [{ store: "keys", region: "home", name: "upload/x" }] },
        "object upload/… is not declared",
      ],
      [
        { objects: [{ store: "keys", region: "home", name: `photo/${accountId}` }] },
        "object photo/… is in the keys, not in photos",
      ],
      [
        { objects: [{ store: "photos", region: "eu", name: `photo/${accountId}` }] },
        "object photo/… of home is in the region eu",
      ],
      [
        { objects: [{ store: "keys", region: "home", name: "person/nobody" }] },
        "object person/… of null is in the region home",
      ],
      [{ log: [{ path: "/secret" }] }, "log field path is not declared"],
      [{ egress: [{ recipient: "ads", fields: {} }] }, "recipient ads is not declared"],
      [
        { egress: [{ recipient: "mail", fields: { bcc: "x" } }] },
        "recipient mail has the field bcc, which is not declared",
      ],
      [
        { attachments: [{ kind: "agent", battery: 1 }] },
        "attachment agent has the field battery, which is not declared",
      ],
      [{ attachments: [null] }, "attachment undefined is not declared"],
    ];
    for (const [found, sentence] of planted) {
      expect(violations({ ...live, ...found }).at(-1)).toBe(sentence);
    }
  });

  it("refuses a class that is none, says too little, or promises what the stores cannot keep", () => {
    const change = (name: keyof typeof classes, part: object): DataMap => ({
      ...dataMap,
      classes: { ...classes, [name]: { ...classes[name], ...part } },
    });
    const { session: _, ...without } = classes;
    const planted: [DataMap, string][] = [
      [{ ...dataMap, classes: without }, "is of the class session, which is none"],
      [change("device", { purpose: " " }), "class device says no purpose"],
      [change("device", { obligations: [] }), "class device names no obligation"],
      [
        change("session", { copiesMs: 0 }),
        "class session leaves no room for the platform's history",
      ],
      [
        change("session", { liveMs: 151 * 86_400_000 }),
        "class session lasts longer than six months",
      ],
      [
        change("session", { liveMs: null }),
        "class session has a table that expires, but no period",
      ],
      [change("account", { liveMs: 1 }), "class account has a period, but no table that expires"],
    ];
    for (const [map, sentence] of planted) {
      expect(violations(live, map).join("\n")).toContain(sentence);
    }
  });

  it("refuses a rule that would leave personal data behind", () => {
    const identifier = dataMap.region.identifier as DataMap["region"][string];
    const change = (part: object, columns: object = {}): DataMap => ({
      ...dataMap,
      region: {
        ...dataMap.region,
        identifier: { ...identifier, columns: { ...identifier.columns, ...columns }, ...part },
      },
    });
    const planted: [DataMap, string][] = [
      [
        change({}, { kind: { kind: "personal" } }),
        "is personal in clear, in a database with history",
      ],
      [
        change({}, { address_sealed: { kind: "state" } }),
        "what is sealed, and only that, is named",
      ],
      [
        change({}, { address_sealed: { kind: "sealed", at: "x", by: "owner" } }),
        "table identifier opens address_sealed by owner, which is no column of it",
      ],
      [
        change({}, { address_sealed: { kind: "sealed", at: "activity.detail", by: "id" } }),
        "activity.detail_sealed and identifier.address_sealed share a place",
      ],
      [change({ erase: { by: "owner" } }), "is erased by owner, which is no column of it"],
      [change({ erase: { keep: "why not" } }), "names an account, but is kept"],
      [change({ erase: { soon: "why not" } }), "table identifier outlives an erasure too long"],
      [change({ erase: { soon: "why not" } }), "table identifier outlives an erasure in copies"],
      [change({ erase: { soon: "why not" } }), "outlives the account that it names"],
      [change({ erase: { soon: " " } }), "outlives an erasure without a reason"],
      [change({ erase: { by: "kind" } }), "table identifier has no index on kind"],
      [change({ expires: "gone_at" }), "names expires gone_at, which is no column of it"],
      [change({ key: "kind" }), "the key of table identifier is not kind"],
    ];
    for (const [map, sentence] of planted) {
      expect(violations(live, map).join("\n")).toContain(sentence);
    }
  });
});
