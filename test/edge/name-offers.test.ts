/** Names that go from one person's device to another's: who may, who wins, and what does not go along. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Directory } from "../../db/directory.ts";
import { limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import { setFeature } from "../../workers/devices/devices.ts";
import { removeDevice } from "../../workers/devices/owning.ts";
import { addName, makePrimary, releaseName } from "../../workers/name/labels.ts";
import { acceptOffer, endOffer, offerName, offersOf } from "../../workers/name/offers.ts";
import { acceptContact, askContact, removeContact } from "../../workers/people/contacts.ts";
import type { Ports } from "../../workers/ports.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { sweep } from "../../workers/privacy/sweep.ts";
import { nameSecret } from "../support/name.ts";
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
let ada: string;
let ben: string;
let hers: Enrolled;
let his: Enrolled;
let label: string;
beforeEach(async () => {
  test = testPorts({ env });
  ports = test.ports;
  [ada, ben] = [await newPerson(), await newPerson()];
  await befriend(ada, ben);
  [hers, his] = [await enroll(ports, ada), await enroll(ports, ben)];
  label = newLabel();
  await addName(ports, ada, hers.device.id, label, CLIENT);
});

async function befriend(one: string, other: string): Promise<void> {
  await askContact(ports, one, other, CLIENT);
  await acceptContact(ports, other, one, CLIENT);
}

const offer = (to = ben) => offerName(ports, ada, hers.device.id, { label, to }, CLIENT);
const offers = (of = ben) => offersOf(ports, of);
async function accept(device = his.device.id, by = ben, id?: string): Promise<void> {
  const [first] = await offers();
  await acceptOffer(ports, by, id ?? first?.id ?? "none", device, CLIENT);
}
const labels = async (device: Enrolled) => (await device.stub.labels())?.others;
const rows = async () => {
  const query = bindings.DB_HOME.prepare("SELECT id FROM name_offer WHERE from_id = ?");
  return (await query.bind(ada).all()).results.length;
};

describe("a name that is offered", () => {
  it("[CON-6] goes with the word alone: it answers at the new device, and nothing of the old one does", async () => {
    for (const { device } of [hers]) {
      await setFeature(ports, ada, device.id, "name", true);
      await setFeature(ports, ada, device.id, "link", true);
    }
    await setFeature(ports, ben, his.device.id, "name", true);
    const secret = await nameSecret(ports, ada, hers.device.id);
    const host = `${label}.ddns.test`;
    const update = async () => {
      const asked = new Request(
        `http://localhost:8787/nic/update?hostname=${host}&myip=203.0.113.4`,
        {
          headers: { authorization: `Basic ${btoa(`${host}:${secret}`)}`, "user-agent": "test/1" },
        },
      );
      return (await (await handle(asked, ports)).text()).trim();
    };
    const door = async () =>
      (await handle(new Request(`http://${label}.link.localhost:8787/`), ports)).status;
    expect(await update()).toBe("good 203.0.113.4");
    await offer();
    expect(await offers()).toMatchObject([{ label, from: ada, to: ben }]);
    expect(await offers(ada)).toMatchObject([{ label, from: ada, to: ben }]);
    // Until it is taken everything is as it was.
    expect([await update(), await door()]).toEqual(["nochg 203.0.113.4", 401]);
    await accept();
    expect([await labels(hers), await labels(his)]).toEqual([[], [label]]);
    expect(await ports.names.deviceOfLabel(label)).toBe(his.device.id);
    expect(await hers.stub.records(label)).toBeNull();
    expect(await his.stub.records(label)).toEqual([]);
    expect([await update(), await door()]).toEqual(["badauth", 404]);
    expect([await offers(), await offers(ada), await rows()]).toEqual([[], [], 0]);
  });

  it("is taken once, by the one it was offered to, for a device of theirs", async () => {
    await offer();
    const [{ id } = { id: "" }] = await offers();
    const eve = await newPerson();
    const evil = await enroll(ports, eve);
    expect(await problemOf(accept(evil.device.id, eve, id))).toBe("not-found");
    expect(await problemOf(accept(evil.device.id))).toBe("not-found");
    expect(await problemOf(accept(hers.device.id))).toBe("not-found");
    const more = await enroll(ports, ben);
    const tries = [his, more, his].map(({ device }) => accept(device.id, ben, id));
    const won = (await Promise.allSettled(tries)).filter(({ status }) => status === "fulfilled");
    expect(won).toHaveLength(1);
    const all = [...((await labels(his)) ?? []), ...((await labels(more)) ?? [])];
    expect(all).toEqual([label]);
    expect(
      (await Promise.all([his, more].map(({ stub }) => stub.labels()))).flatMap((l) => l?.coming),
    ).toEqual([]);
  });

  it("is declined, withdrawn, offered to another instead, or over by itself", async () => {
    await offer();
    const [{ id } = { id: "" }] = await offers();
    expect(await problemOf(endOffer(ports, await newPerson(), id))).toBe("not-found");
    await endOffer(ports, ben, id);
    expect([await offers(), await labels(hers)]).toEqual([[], [label]]);
    await offer();
    await endOffer(ports, ada, id);
    expect(await offers()).toEqual([]);
    const cleo = await newPerson();
    await befriend(ada, cleo);
    await offer();
    await offer(cleo);
    expect([await offers(), (await offers(cleo)).length]).toEqual([[], 1]);
    await offer();
    test.clock.advance(limits.nameOfferMs);
    expect(await offers()).toEqual([]);
    expect(await problemOf(accept(his.device.id, ben, id))).toBe("not-found");
    await sweep(ports);
    expect(await rows()).toBe(0);
  });

  it("goes to a contact only, also when it is taken, and never a device's first name", async () => {
    const stranger = await newPerson();
    expect(await problemOf(offer(stranger))).toBe("not-contact");
    expect(await problemOf(offer("acc_home_nobody0000000000"))).toMatch(/not-contact|id-syntax/);
    expect(await problemOf(offer(ada))).toBe("own-id");
    const first = { label: hers.device.label, to: ben };
    const offered = offerName(ports, ada, hers.device.id, first, CLIENT);
    expect(await problemOf(offered)).toBe("name-primary");
    await offer();
    const [{ id } = { id: "" }] = await offers();
    await removeContact(ports, ada, ben, CLIENT);
    // Neither sees what the other offered, and being contacts again brings nothing back.
    expect([await offers(), await offers(ada), await rows()]).toEqual([[], [], 0]);
    await befriend(ada, ben);
    expect(await problemOf(accept(his.device.id, ben, id))).toBe("not-found");
    await offer();
    expect(await offers()).toHaveLength(1);
    await makePrimary(ports, ada, hers.device.id, label, CLIENT);
    expect(await problemOf(accept())).toBe("not-found");
  });

  it("[ACC-11] [CON-11] goes with either account, with the device and with the name", async () => {
    await offer();
    await eraseAccount(ports, ben);
    expect(await rows()).toBe(0);
    const cleo = await newPerson();
    await befriend(ada, cleo);
    await offer(cleo);
    await removeDevice(ports, ada, hers.device.id, CLIENT);
    expect(await rows()).toBe(0);
  });

  it("[ACC-11] [CON-11] that nothing else would end goes with who made it and with who has it", async () => {
    const insert = bindings.DB_HOME.prepare(
      `INSERT INTO name_offer (id, account_id, from_id, device_id, label_sealed, expires_at)
       VALUES (?, ?, ?, 'dev_home_gone', 'sealed', ?)`,
    );
    const later = test.clock.now() + limits.nameOfferMs;
    const stranger = await newPerson();
    const ofStranger = "SELECT id FROM name_offer WHERE ? IN (account_id, from_id)";
    const left = async () =>
      (await bindings.DB_HOME.prepare(ofStranger).bind(stranger).all()).results.length;
    await insert.bind(`offer-by-${ada}`, stranger, ada, later).run();
    await insert.bind(`offer-to-${ben}`, ben, stranger, later).run();
    await eraseAccount(ports, ada);
    expect(await left()).toBe(1);
    await eraseAccount(ports, ben);
    expect(await left()).toBe(0);
  });

  it("is not taken while a certificate of ours for it counts, and is once that is revoked", async () => {
    await setFeature(ports, ada, hers.device.id, "name", true);
    await offer();
    const certify = async (names: string[], revokedAt: number | null) => {
      const state = await hers.stub.certificate();
      if (state === null) throw new Error("no state");
      const notAfter = test.clock.now() + 1;
      const times = { notBefore: 1, notAfter, renewAt: notAfter, askAt: notAfter, revokedAt };
      const current = { chain: "", names, renewalId: null, ...times };
      expect(await hers.stub.setCertificate({ ...state, current })).toBe(true);
    };
    // Nobody is there who could revoke it.
    await certify([`*.${label}.ddns.test`], null);
    expect(await problemOf(accept())).toBe("no-authority");
    expect([(await offers()).length, await labels(hers)]).toEqual([1, [label]]);
    await certify([`*.${label}.ddns.test`], 1);
    await accept();
    expect(await labels(his)).toEqual([label]);
  });

  it("is certified for its giver no more from before the revocation on, wherever the change stops", async () => {
    await setFeature(ports, ada, hers.device.id, "name", true);
    const state = async () => (await hers.stub.certificate()) ?? expect.fail("no state");
    const order = (step: "waiting" | "proving" | "checking", host: string) => ({
      ...{
        step,
        request: "AA",
        names: [`*.${host}.ddns.test`],
        askedAt: 1,
        replaces: null,
        url: null,
      },
      ...{ challenges: [], proofs: [], dueAt: 1, failures: 0, problem: null },
    });
    const ask = async (step: "waiting" | "proving" | "checking", host = label) =>
      await hers.stub.setCertificate({ ...(await state()), order: order(step, host) });
    await offer();
    // What the authority may be certifying just now comes first; what has not begun is given up.
    expect(await ask("checking")).toBe(true);
    expect(await problemOf(accept())).toBe("unavailable");
    expect([await ask("waiting"), await ask("waiting", hers.device.label)]).toEqual([false, true]);
    expect([await labels(hers), (await offers()).length]).toEqual([[label], 1]);
    // Nobody took it: a while later its box may have one again.
    test.clock.advance(limits.labelSettleMs);
    await sweep(ports);
    expect((await hers.stub.labels())?.leaving).toEqual([]);
    expect(await ask("waiting")).toBe(true);

    // The box asks in the middle of it, and again when all is done.
    const taking = vi.spyOn(ports.directory, "moveLabel");
    const moveLabel = taking.getMockImplementation() ?? Directory.prototype.moveLabel;
    taking.mockImplementationOnce(async (...args) => {
      expect((await state()).order).toBeNull();
      expect(await ask("waiting")).toBe(false);
      return await moveLabel.apply(ports.directory, args);
    });
    await accept();
    expect([await labels(hers), await labels(his)]).toEqual([[], [label]]);
    expect([await ask("waiting"), await ask("waiting", hers.device.label)]).toEqual([false, true]);
  });

  it("is not taken where its giver might have got a certificate meanwhile", async () => {
    await offer();
    const { stub } = hers;
    const forgetful = new Proxy(stub, {
      get: (target, key) =>
        key === "leaveLabel" ? async () => "left" : Reflect.get(target, key, target),
    });
    const get = (id: string) => (id === hers.device.id ? forgetful : test.ports.devices.get(id));
    const [{ id } = { id: "" }] = await offers();
    const taking = acceptOffer({ ...ports, devices: { get } }, ben, id, his.device.id, CLIENT);
    expect(await problemOf(taking)).toBe("unavailable");
    expect([await labels(hers), (await offers()).length]).toEqual([[label], 1]);
  });

  it("is not taken once it was given up, by whoever still has the offer", async () => {
    await offer();
    await releaseName(ports, ada, hers.device.id, label, CLIENT);
    expect(await problemOf(accept())).toBe("not-found");
    expect(await ports.directory.isLabelFree(label, ben)).toBe(false);
  });

  it("[CON-6] is in one place when the change breaks off half way, and the sweep ends it", async () => {
    await offer();
    const cut = vi.spyOn(ports.directory, "ownLabels").mockRejectedValue(new Error("away"));
    await expect(accept()).rejects.toThrow("away");
    cut.mockRestore();
    // The directory has moved it: the old device answers by it no more for anybody who asks there.
    expect(await ports.names.deviceOfLabel(label)).toBe(his.device.id);
    test.clock.advance(limits.labelSettleMs);
    await sweep(ports);
    expect([await labels(hers), await labels(his)]).toEqual([[], [label]]);
  });
});
