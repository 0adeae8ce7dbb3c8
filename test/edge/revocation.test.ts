/** What we had certified for a name is revoked when the name is given away: all of it that counts still. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import { makeRequest, pemCertificates } from "../../protocol/certificates.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { base64url } from "../../protocol/tokens.ts";
import { listActivity } from "../../workers/account/activity.ts";
import { tryRevocations } from "../../workers/certificates/ending.ts";
import { revokeCertificate } from "../../workers/certificates/revocation.ts";
import { askCertificate, certificateOf } from "../../workers/certificates/service.ts";
import { ownerView } from "../../workers/certificates/view.ts";
import { setFeature } from "../../workers/devices/devices.ts";
import { endDevice } from "../../workers/devices/ending.ts";
import { removeDevice } from "../../workers/devices/owning.ts";
import { addName, makePrimary, releaseName, renameName } from "../../workers/name/labels.ts";
import { acceptOffer, offerName, offersOf } from "../../workers/name/offers.ts";
import { acceptContact, askContact } from "../../workers/people/contacts.ts";
import type { Db, Ports } from "../../workers/ports.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { sweep } from "../../workers/privacy/sweep.ts";
import { CA, StandInAuthority } from "../support/authority.ts";
import { CLIENT } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import {
  bindings,
  type Enrolled,
  enroll,
  newLabel,
  newPerson,
  problemOf,
} from "./devices-support.ts";

let test: TestPorts;
let ports: Ports;
let ca: StandInAuthority;
let ada: string;
let box: Enrolled;
let label: string;
let tests = 0;

beforeEach(async () => {
  await bindings.DB_HOME.prepare("DELETE FROM revocation").run();
  test = testPorts({
    env,
    variables: { ACME: `${CA}?revocation-${++tests} certificates=1000000` },
  });
  ports = test.ports;
  ca = new StandInAuthority({ now: () => ports.clock.now(), txt: shown });
  test.authority.answer = async (fields) =>
    await ca.answer({ ...fields, url: (fields.url ?? "").replace(/\?.*$/, "") });
  ada = await newPerson();
  box = await enroll(ports, ada);
  await box.stub.setFeature("name", true);
  label = newLabel();
  await addName(ports, ada, box.device.id, label, CLIENT);
});

async function shown(name: string): Promise<string[]> {
  const id = await ports.names.deviceOfLabel(name.split(".")[0] ?? "");
  const sets = id === null ? null : await ports.devices.get(id).records();
  return (sets ?? []).flatMap(({ owner, data }) =>
    owner === "_acme-challenge" ? data.flatMap((one) => (one.type === "TXT" ? one.texts : [])) : [],
  );
}

/** Has the box certified for these labels; the certificate as the authority is told of it. */
async function certify(...labels: string[]): Promise<string> {
  const names = labels.map((one) => `${one}.${ports.config.ddnsZone}`);
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const pair = (await crypto.subtle.generateKey(algorithm, true, ["sign"])) as CryptoKeyPair;
  const spki = (await crypto.subtle.exportKey("spki", pair.publicKey)) as ArrayBuffer;
  const request = await makeRequest(names, new Uint8Array(spki), () => Uint8Array.of(0x30, 0));
  const who = { deviceId: box.device.id, accountId: ada };
  await askCertificate(ports, who, base64url(request));
  for (let left = 10; left > 0; left--) {
    const state = await certificateOf(ports, box.device.id);
    if (state?.order === null) {
      return base64url(pemCertificates(state.current?.chain ?? "")?.[0] ?? new Uint8Array());
    }
    test.clock.advance(limits.certificateSettleMs);
  }
  throw new Error("no certificate");
}
const revoked = () => ca.revoked.map(({ certificate }) => certificate);
const later = async () => {
  test.clock.advance(limits.labelSettleMs);
  await sweep(ports);
  await test.settle();
};

describe("a name that is given away", () => {
  it("[CON-6] to a contact takes no certificate of its giver's along that counts, however many there are", async () => {
    const ben = await newPerson();
    const his = await enroll(ports, ben);
    await askContact(ports, ada, ben, CLIENT);
    await acceptContact(ports, ben, ada, CLIENT);
    const [first, other, second] = [
      await certify(label),
      await certify(box.device.label),
      await certify(`*.${label}`, box.device.label),
    ];
    expect((await box.stub.certificate())?.earlier).toHaveLength(2);
    await offerName(ports, ada, box.device.id, { label, to: ben }, CLIENT);
    const [{ id } = { id: "" }] = await offersOf(ports, ben);
    const accept = () => acceptOffer(ports, ben, id, his.device.id, CLIENT);
    ca.refusals.push({ at: "/revoke", status: 500, kind: "serverInternal" });
    expect(await problemOf(accept())).toBe("unavailable");
    expect((await his.stub.labels())?.others).toEqual([]);
    await accept();
    expect((await his.stub.labels())?.others).toEqual([label]);
    expect([...revoked()].sort()).toEqual([first, second].sort());
    expect(ca.revoked.map(({ reason }) => reason)).toEqual([5, 5]);
    const state = await box.stub.certificate();
    expect([state?.earlier.map(({ leaf }) => leaf), state?.current?.revokedAt]).toEqual([
      [other],
      expect.any(Number),
    ]);
  });

  it("up or changed is certified no more a moment later, also when the authority was away", async () => {
    const both = [await certify(label), await certify(label, box.device.label)];
    const own = await certify(box.device.label);
    await releaseName(ports, ada, box.device.id, label, CLIENT);
    ca.away = true;
    await later();
    await later();
    expect(revoked()).toEqual([]);
    ca.away = false;
    await later();
    expect([...revoked()].sort()).toEqual([...both].sort());
    await later();
    expect(revoked()).toHaveLength(2);
    await renameName(ports, ada, box.device.id, { from: box.device.label, to: newLabel() }, CLIENT);
    await later();
    expect(revoked().at(-1)).toBe(own);
    // What the authority does not take, it is not asked for ever.
    const [to] = [newLabel(), await certify((await box.stub.describe())?.label ?? "")];
    const from = (await box.stub.describe())?.label ?? "";
    ca.refusals.push({ at: "/revoke", status: 403, kind: "unauthorized" });
    await renameName(ports, ada, box.device.id, { from, to }, CLIENT);
    await later();
    expect(ca.refusals).toEqual([]);
    await later();
    expect(revoked()).toHaveLength(3);
  });

  it("with its device, its account or what it is for is certified no more", async () => {
    const first = [await certify(label), await certify(box.device.label)];
    await setFeature(ports, ada, box.device.id, "name", false);
    await test.settle();
    expect([...revoked()].sort()).toEqual([...first].sort());
    await setFeature(ports, ada, box.device.id, "name", true);
    const second = [await certify(label), await certify(box.device.label)];
    await removeDevice(ports, ada, box.device.id, CLIENT);
    await test.settle();
    expect([...revoked().slice(2)].sort()).toEqual([...second].sort());
    box = await enroll(ports, ada);
    await box.stub.setFeature("name", true);
    const third = await certify(box.device.label);
    await eraseAccount(ports, ada);
    await test.settle();
    expect(revoked().slice(4)).toEqual([third]);
  });

  it("[CON-11] ends with its device whether or not the authority is there, or is slow", async () => {
    await certify(label);
    ca.away = true;
    await removeDevice(ports, ada, box.device.id, CLIENT);
    expect(await box.stub.describe()).toBeNull();
    ca.away = false;
    box = await enroll(ports, ada);
    await box.stub.setFeature("name", true);
    const last = await certify(box.device.label);
    const { answer } = test.authority;
    let goOn = () => {};
    const waits = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    test.authority.answer = async (fields) => {
      await waits;
      return await answer(fields);
    };
    await removeDevice(ports, ada, box.device.id, CLIENT);
    expect([await box.stub.describe(), revoked()]).toEqual([null, []]);
    goOn();
    await test.settle();
    expect(revoked()).toEqual([last]);
  });
});

describe("[FEA-4] [RET-2] of a name that ended", () => {
  const rows = async () =>
    (await bindings.DB_HOME.prepare("SELECT * FROM revocation").all<Record<string, string>>())
      .results;
  const off = () => setFeature(ports, ada, box.device.id, "name", false);
  const ways: [string, () => Promise<unknown>][] = [
    ["its device", () => removeDevice(ports, ada, box.device.id, CLIENT)],
    ["its account", () => eraseAccount(ports, ada)],
    ["what it is for", off],
  ];
  const wait = async (ms: number) => {
    test.clock.advance(ms);
    await sweep(ports);
    await test.settle();
  };

  it.each(ways)(
    "all is revoked that ended with %s while the authority was away, and nothing is kept after",
    async (_, end) => {
      const all = [await certify(label), await certify(box.device.label)];
      ca.away = true;
      await end();
      await test.settle();
      await wait(limits.revocationRetryMs);
      const [row = {}, ...more] = await rows();
      expect([more, row.tries]).toEqual([[], 2]);
      for (const leaf of all) expect(JSON.stringify(row)).not.toContain(leaf);
      expect(await ports.keys.get(`person/${row.id}`)).not.toBeNull();
      ca.away = false;
      // The first is revoked, at the second it is away once more.
      const { answer } = test.authority;
      let asks = 0;
      test.authority.answer = async (fields) => {
        if (fields.url?.includes("/revoke") && ++asks === 2) throw new TypeError("fetch failed");
        return await answer(fields);
      };
      await wait(2 * limits.revocationRetryMs - 1);
      expect(revoked()).toEqual([]);
      await wait(1);
      expect(revoked()).toEqual(all.slice(0, 1));
      await wait(4 * limits.revocationRetryMs);
      expect(revoked()).toEqual(all);
      expect([await rows(), await ports.keys.get(`person/${row.id}`)]).toEqual([[], null]);
    },
  );

  it("is asked for ever more seldom, and for less than a day", async () => {
    await certify(label);
    let asks = 0;
    test.authority.answer = async () => {
      asks++;
      throw new TypeError("fetch failed");
    };
    await off();
    await test.settle();
    const [{ id } = { id: "" }] = await rows();
    const db = ports.regions.db("home") as Db;
    const hours: number[] = [];
    for (let minute = 0; minute < 24 * 60 - 30; minute++) {
      if (minute % 60 === 0) hours.push(asks);
      test.clock.advance(60_000);
      await tryRevocations(ports, db);
    }
    expect(hours.slice(0, 4)).toEqual([1, 6, 7, 8]);
    expect(asks).toBeLessThan(31);
    await sweep(ports);
    expect([await rows(), await ports.keys.get(`person/${id}`)]).toEqual([[], null]);
  });

  it("is revoked once where the end broke off before the device was gone", async () => {
    const leaf = await certify(label);
    const get = (id: string) =>
      ({
        certificate: () => ports.devices.get(id).certificate(),
        unregister: () => Promise.reject(new Error("away")),
      }) as unknown as DeviceStub;
    for (let left = 3; left > 0; left--) {
      const breaking = { ...ports, devices: { get } };
      await expect(endDevice(breaking, box.device.id, ada)).rejects.toThrow("away");
    }
    expect(await rows()).toHaveLength(1);
    await endDevice(ports, box.device.id, ada);
    await test.settle();
    expect([revoked(), await rows()]).toEqual([[leaf], []]);
  });

  it("is revoked also where nobody heard that it was switched off, and not where it was not", async () => {
    const leaf = await certify(label);
    const breaking = (first: (id: string) => Promise<unknown>) => {
      const get = (id: string) =>
        ({
          certificate: () => ports.devices.get(id).certificate(),
          async setFeature() {
            await first(id);
            throw new Error("away");
          },
        }) as unknown as DeviceStub;
      const broken = { ...ports, devices: { get } };
      return setFeature(broken, ada, box.device.id, "name", false);
    };
    await expect(breaking(async () => {})).rejects.toThrow("away");
    await wait(limits.revocationRetryMs);
    await wait(2 * limits.revocationRetryMs);
    expect([revoked(), (await box.stub.certificate())?.current?.revokedAt]).toEqual([[], null]);
    await expect(breaking((id) => ports.devices.get(id).setFeature("name", false))).rejects.toThrow(
      "away",
    );
    await wait(4 * limits.revocationRetryMs);
    expect([revoked(), await rows()]).toEqual([[leaf], []]);
  });

  it("is revoked at once where it was to be switched off before, and was not", async () => {
    const leaf = await certify(label);
    const get = (id: string) =>
      ({
        certificate: () => ports.devices.get(id).certificate(),
        setFeature: () => Promise.reject(new Error("away")),
      }) as unknown as DeviceStub;
    const broken = { ...ports, devices: { get } };
    await expect(setFeature(broken, ada, box.device.id, "name", false)).rejects.toThrow("away");
    await wait(limits.revocationRetryMs);
    await off();
    await test.settle();
    expect([revoked(), await rows()]).toEqual([[leaf], []]);
  });

  it("leaves no key where another runner was done first, which a slow one did not see", async () => {
    const all = [await certify(label), await certify(box.device.label)];
    ca.away = true;
    await off();
    await test.settle();
    const [{ id } = { id: "" }] = await rows();
    ca.away = false;
    const db = ports.regions.db("home") as Db;
    const { answer } = test.authority;
    let asks = 0;
    test.authority.answer = async (fields) => {
      if (fields.url?.includes("/revoke") && ++asks === 2) {
        test.clock.advance(2 * limits.revocationRetryMs);
        await tryRevocations(ports, db);
        throw new TypeError("fetch failed");
      }
      return await answer(fields);
    };
    test.clock.advance(limits.revocationRetryMs);
    await tryRevocations(ports, db);
    expect(new Set(revoked())).toEqual(new Set(all));
    expect([await rows(), await ports.keys.get(`person/${id}`)]).toEqual([[], null]);
  });

  it("is tried again where something else failed, which is not told as the authority's being away", async () => {
    await certify(label);
    ca.away = true;
    await off();
    await test.settle();
    test.lines.length = 0;
    const open = () => Promise.reject(new TypeError("no keys"));
    const broken = Object.create(ports, { sealer: { value: { open } } });
    test.clock.advance(limits.revocationRetryMs);
    await sweep(broken);
    const told = test.lines.map(({ event, lane }) => [event, lane]);
    expect(told.flat()).not.toContain("authority-away");
    expect(told).toContainEqual(["sweep-failed", "revocations"]);
    ca.away = false;
    await wait(2 * limits.revocationRetryMs);
    expect([revoked().length, await rows()]).toEqual([1, []]);
  });

  it("is over where the authority refuses it, and none is kept where nobody orders for us", async () => {
    await certify(label);
    ca.refusals.push({ at: "/revoke", status: 403, kind: "unauthorized" });
    await off();
    await test.settle();
    expect([revoked(), await rows()]).toEqual([[], []]);
    await box.stub.setFeature("name", true);
    await certify(label);
    const none = { ...ports, config: { ...ports.config, authority: null } };
    await setFeature(none, ada, box.device.id, "name", false);
    expect(await rows()).toEqual([]);
  });
});

describe("what the authority refuses to revoke", () => {
  const refuse = (kind: string, times = 1, status = 403) =>
    ca.refusals.push(...Array.from({ length: times }, () => ({ at: "/revoke", status, kind })));
  const refusedHere = async () =>
    ((await box.stub.certificate())?.earlier ?? []).flatMap(({ leaf, refusedAt }) =>
      refusedAt === undefined ? [] : [leaf],
    );
  const fill = async () => {
    const all: string[] = [];
    for (let left = limits.certificatesKept + 1; left > 0; left--) {
      all.push(await certify(label));
      test.clock.advance(DAY / 4);
    }
    return all;
  };

  it("holds no further order up, is kept as refused and shown to its owner", async () => {
    const all = await fill();
    refuse("unauthorized");
    all.push(await certify(label));
    expect(revoked()).toEqual([all[1]]);
    expect(await refusedHere()).toEqual([all[0]]);
    const view = await certificateOf(ports, box.device.id);
    const shown = view && ownerView(view, test.clock.now());
    const names = [`${label}.${ports.config.ddnsZone}`];
    expect(shown?.refused).toEqual([{ names, not_after: expect.any(String) }]);
    // It makes way when nothing else can, and not before.
    refuse("malformed", limits.certificatesKept - 1, 400);
    test.clock.advance(DAY / 4);
    all.push(await certify(label));
    expect(await refusedHere()).toEqual(all.slice(2, -2));
    expect((await box.stub.certificate())?.earlier).toHaveLength(limits.certificatesKept);
    expect(revoked()).toHaveLength(1);
  });

  it("because it was revoked before is revoked", async () => {
    const all = await fill();
    refuse("alreadyRevoked", 1, 400);
    all.push(await certify(label));
    expect(await refusedHere()).toEqual([]);
    expect((await box.stub.certificate())?.earlier.map(({ leaf }) => leaf)).toEqual(
      all.slice(1, -1),
    );
  });

  it("for its reason is revoked without one", async () => {
    const leaf = await certify(label);
    refuse("badRevocationReason", 1, 400);
    await revokeCertificate(ports, box.stub, "superseded");
    expect(ca.revoked).toEqual([{ certificate: leaf }]);
  });

  it.each([
    ["an answer of something before it", "", 403],
    ["its not knowing our account", "accountDoesNotExist", 400],
    ["our account's having ended (RFC 8555 §7.3.6)", "unauthorized", 401],
    ["its being busy", "rateLimited", 429],
    ["its failing", "unauthorized", 503],
  ])("is told apart from %s", async (_, kind, status) => {
    await certify(label);
    refuse(kind, 1, status);
    const revoke = () => revokeCertificate(ports, box.stub, "superseded");
    expect(await problemOf(revoke())).toBe("unavailable");
    expect((await box.stub.certificate())?.current?.refusedAt).toBeUndefined();
    await revoke();
    expect(revoked()).toHaveLength(1);
  });

  it("at its owner's word has its box come with a new key, and is said", async () => {
    const first = await certify(label);
    refuse("unauthorized");
    const revoke = () => revokeCertificate(ports, box.stub, "key-compromise");
    expect(await problemOf(revoke())).toBe("revocation-refused");
    const current = (await box.stub.certificate())?.current;
    expect([current?.revokedAt, current?.renewAt]).toEqual([null, test.clock.now()]);
    const second = await certify(label);
    expect(await refusedHere()).toEqual([first]);
    // Asked again by its owner, the authority is asked again.
    await revoke();
    expect(revoked()).toEqual([second, first]);
    expect(await refusedHere()).toEqual([]);
  });

  it("keeps no name from a contact, who is told", async () => {
    const ben = await newPerson();
    const his = await enroll(ports, ben);
    await askContact(ports, ada, ben, CLIENT);
    await acceptContact(ports, ben, ada, CLIENT);
    await certify(label);
    const notAfter = (await box.stub.certificate())?.current?.notAfter ?? 0;
    await offerName(ports, ada, box.device.id, { label, to: ben }, CLIENT);
    const [{ id } = { id: "" }] = await offersOf(ports, ben);
    refuse("unauthorized");
    await acceptOffer(ports, ben, id, his.device.id, CLIENT);
    expect((await his.stub.labels())?.others).toEqual([label]);
    const told = await listActivity(ports, ben);
    const day = new Date(notAfter).toISOString().slice(0, 10);
    expect(told.map(({ event, about }) => [event, about])).toContainEqual([
      "name-certified-elsewhere",
      `${label}, until ${day}`,
    ]);
    await later();
    expect(revoked()).toEqual([]);
    expect((await box.stub.certificate())?.current?.refusedAt).toBeGreaterThan(0);
  });

  it("is told to who takes a name over also where the giver's box ends just then", async () => {
    const ben = await newPerson();
    const his = await enroll(ports, ben);
    await askContact(ports, ada, ben, CLIENT);
    await acceptContact(ports, ben, ada, CLIENT);
    await certify(label);
    await offerName(ports, ada, box.device.id, { label, to: ben }, CLIENT);
    const [{ id } = { id: "" }] = await offersOf(ports, ben);
    refuse("unauthorized");
    const { directory } = ports;
    const moving = Object.create(ports, {
      directory: {
        value: new Proxy(directory, {
          get(target, name) {
            const own: unknown = Reflect.get(target, name, target);
            if (name !== "moveLabel") return typeof own === "function" ? own.bind(target) : own;
            return async (...args: Parameters<typeof directory.moveLabel>) => {
              const isMoved = await directory.moveLabel(...args);
              await removeDevice(ports, ada, box.device.id, CLIENT);
              return isMoved;
            };
          },
        }),
      },
    });
    await acceptOffer(moving, ben, id, his.device.id, CLIENT);
    const told = (await listActivity(ports, ben)).map(({ event }) => event);
    expect(told).toContain("name-certified-elsewhere");
    expect((await listActivity(ports, ada)).map(({ event }) => event)).toContain("name-given");
  });
});

describe("by the owner's word", () => {
  it("all that count are revoked, also where the authority is away at first", async () => {
    const [first, second, last] = [
      await certify(label),
      await certify(label),
      await certify(box.device.label),
    ];
    const revoke = () => revokeCertificate(ports, box.stub, "key-compromise");
    ca.refusals.push({ at: "/revoke", status: 500, kind: "serverInternal" });
    expect(await problemOf(revoke())).toBe("unavailable");
    expect((await box.stub.certificate())?.earlier).toHaveLength(2);
    await revoke();
    expect(revoked()).toEqual([last, first, second]);
    expect(ca.revoked.map(({ reason }) => reason)).toEqual([1, 1, 1]);
    const state = await box.stub.certificate();
    expect([state?.earlier, state?.current?.revokedAt]).toEqual([[], expect.any(Number)]);
    await revoke();
    expect(revoked()).toHaveLength(3);
  });
});

describe("an order", () => {
  it("is given up with a name that it is for, and not with one that begins alike", async () => {
    const order = (name: string) => ({
      ...{ step: "waiting" as const, request: "AA", names: [name], askedAt: 1, replaces: null },
      ...{ url: null, challenges: [], proofs: [], dueAt: 1, failures: 0, problem: null },
    });
    const give = async (name: string) => {
      const state = await box.stub.certificate();
      const isKept = state && (await box.stub.setCertificate({ ...state, order: order(name) }));
      expect(isKept).toBe(true);
      await releaseName(ports, ada, box.device.id, label, CLIENT);
      return (await box.stub.certificate())?.order?.names;
    };
    expect(await give(`${label}.own.test`)).toEqual([`${label}.own.test`]);
    await addName(ports, ada, box.device.id, label, CLIENT);
    expect(await give(`*.${label}.${ports.config.ddnsZone}`)).toBeUndefined();
  });
});

describe("what is kept to revoke it", () => {
  it("is over with the certificate, and never more than so many", async () => {
    const all: string[] = [];
    for (let left = limits.certificatesKept + 2; left > 0; left--) {
      all.push(await certify(label));
      test.clock.advance(DAY / 4);
    }
    expect((await box.stub.certificate())?.earlier).toHaveLength(limits.certificatesKept);
    expect(revoked()).toEqual(all.slice(0, 1));
    expect(ca.revoked[0]?.reason).toBe(4);
    test.clock.advance(90 * DAY);
    await makePrimary(ports, ada, box.device.id, label, CLIENT);
    await releaseName(ports, ada, box.device.id, box.device.label, CLIENT);
    await later();
    expect(revoked()).toHaveLength(1);
  });
});
