/** Names of a device, changed, added and given up: who gets them, what answers, what breaks off. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Directory } from "../../db/directory.ts";
import { limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import { setFeature } from "../../workers/devices/devices.ts";
import { removeDevice } from "../../workers/devices/owning.ts";
import { addName, makePrimary, releaseName, renameName } from "../../workers/name/labels.ts";
import type { Ports } from "../../workers/ports.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { sweep } from "../../workers/privacy/sweep.ts";
import { nameSecret } from "../support/name.ts";
import { CLIENT } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import {
  bindings,
  connect,
  type Enrolled,
  enroll,
  newLabel,
  newPerson,
  problemOf,
  rowsWith,
} from "./devices-support.ts";

const ZONE = "ddns.test";

let test: TestPorts;
let ports: Ports;
let owner: string;
let nas: Enrolled;
let id: string;
let label: string;
beforeEach(async () => {
  test = testPorts({ env });
  ports = test.ports;
  owner = await newPerson();
  nas = await enroll(ports, owner);
  ({ id, label } = nas.device);
});

const rename = (to: string, from = label, by = ports) =>
  renameName(by, owner, id, { from, to }, CLIENT);

/** What a client gets that updates `host`, in its name. */
async function update(host: string, secret: string, user = host): Promise<string> {
  const asked = new Request(`http://localhost:8787/nic/update?hostname=${host}&myip=203.0.113.4`, {
    headers: { authorization: `Basic ${btoa(`${user}:${secret}`)}`, "user-agent": "test/1" },
  });
  return (await (await handle(asked, ports)).text()).trim();
}

/** The status at a name's door. */
const door = async (name: string) =>
  (await handle(new Request(`http://${name}.link.localhost:8787/`), ports)).status;

/** The types that a name answers; null: there is none. */
const answers = async (name: string) =>
  (await nas.stub.records(name))?.map(({ type }) => type) ?? null;

describe("a device that is renamed", () => {
  it("[CON-6] answers by its new name alone, keeps its tokens, and its old name is held for its owner", async () => {
    await setFeature(ports, owner, id, "name", true);
    await setFeature(ports, owner, id, "link", true);
    const secret = await nameSecret(ports, owner, id);
    expect(await update(`${label}.${ZONE}`, secret)).toBe("good 203.0.113.4");
    expect(await door(label)).toBe(401);
    const to = newLabel();
    const device = await rename(to.toUpperCase());
    expect([device.label, device.labels]).toEqual([to, [to]]);
    expect([await answers(to), await answers(label)]).toEqual([["A"], null]);
    expect([await door(to), await door(label)]).toEqual([401, 404]);
    expect(await update(`${to}.${ZONE}`, secret)).toBe("nochg 203.0.113.4");
    expect(await update(`${label}.${ZONE}`, secret)).toBe("badauth");
    expect(await update(`${label}.${ZONE}`, secret, id)).toBe("nohost");

    const stranger = await newPerson();
    expect(await problemOf(enroll(ports, stranger, label))).toBe("label-taken");
    test.clock.advance(limits.heldLabelMs - 1);
    expect(await problemOf(enroll(ports, stranger, label))).toBe("label-taken");
    expect((await rename(label, to)).label).toBe(label);
    expect(await rowsWith(bindings.DIRECTORY, "label", label)).toEqual([]);
    test.clock.advance(limits.heldLabelMs);
    expect((await enroll(ports, stranger, to)).device.label).toBe(to);
  });

  it("turns visitors away whom an edge sends that remembers the old name", async () => {
    await setFeature(ports, owner, id, "link", true);
    expect(await door(label)).toBe(401);
    const names = Object.create(ports.names, {
      deviceOfLabel: { value: async () => id },
    }) as Ports["names"];
    await rename(newLabel());
    const remembering = { ...ports, names };
    const visit = new Request(`http://${label}.link.localhost:8787/`);
    expect((await handle(visit, remembering)).status).toBe(404);
  });

  it("tells the box, which is called so from then on", async () => {
    const agent = await connect(ports, nas);
    expect(await agent.until((notice) => notice.type === "label")).toEqual({
      type: "label",
      label,
    });
    const to = newLabel();
    await rename(to);
    await agent.until((notice) => notice.type === "label" && notice.label === to);
  });

  it("gives up an order for its old name, and no other", async () => {
    await setFeature(ports, owner, id, "name", true);
    const state = await nas.stub.certificate();
    if (state === null) throw new Error("no state");
    const order = {
      ...{ step: "waiting" as const, request: "AA", askedAt: 1, replaces: null, url: null },
      ...{ challenges: [], proofs: [], dueAt: 1, failures: 0, problem: null },
    };
    const names = [`${label}.${ZONE}`, `*.${label}.${ZONE}`];
    await nas.stub.setCertificate({ ...state, order: { ...order, names } });
    const other = newLabel();
    await addName(ports, owner, id, other, CLIENT);
    await releaseName(ports, owner, id, other, CLIENT);
    expect((await nas.stub.certificate())?.order).not.toBeNull();
    await rename(newLabel());
    expect((await nas.stub.certificate())?.order).toBeNull();
  });

  it("gets no name that is taken, reserved, malformed or its own", async () => {
    const { device } = await enroll(ports, await newPerson());
    expect(await problemOf(rename(device.label))).toBe("label-taken");
    expect(await problemOf(rename("www"))).toBe("label-reserved");
    expect(await problemOf(rename("a_b"))).toBe("label-syntax");
    expect(await problemOf(rename(label))).toBe("label-yours");
    expect(await problemOf(rename(newLabel(), device.label))).toBe("not-found");
    expect((await nas.stub.labels())?.coming).toEqual([]);
    const stranger = renameName(
      ports,
      await newPerson(),
      id,
      { from: label, to: newLabel() },
      CLIENT,
    );
    expect(await problemOf(stranger)).toBe("not-found");
  });

  it("one of two devices gets the name that both want", async () => {
    const other = await enroll(ports, owner);
    const to = newLabel();
    const both = await Promise.allSettled(
      [nas, other].map(({ device }) =>
        renameName(ports, owner, device.id, { from: device.label, to }, CLIENT),
      ),
    );
    const reasons = both.flatMap((one) => (one.status === "rejected" ? [one.reason.code] : []));
    expect(reasons).toEqual(["label-taken"]);
    const labels = await Promise.all([nas, other].map(({ stub }) => stub.labels()));
    expect(labels.filter((one) => one?.primary === to)).toHaveLength(1);
    expect(labels.flatMap((one) => one?.coming)).toEqual([]);
  });
});

describe("further names", () => {
  it("answer like the first, each for itself, and give way one by one", async () => {
    await setFeature(ports, owner, id, "name", true);
    await setFeature(ports, owner, id, "link", true);
    const secret = await nameSecret(ports, owner, id);
    const more = newLabel();
    expect((await addName(ports, owner, id, more, CLIENT)).labels).toEqual([label, more]);
    expect(await update(`${more}.${ZONE}`, secret)).toBe("good 203.0.113.4");
    expect([await answers(more), await answers(label)]).toEqual([["A"], ["A"]]);
    expect([await door(more), await door(label)]).toEqual([401, 401]);
    expect(await problemOf(releaseName(ports, owner, id, label, CLIENT))).toBe("name-primary");
    expect((await makePrimary(ports, owner, id, more, CLIENT)).labels).toEqual([more, label]);
    expect((await releaseName(ports, owner, id, label, CLIENT)).labels).toEqual([more]);
    expect(await problemOf(releaseName(ports, owner, id, more, CLIENT))).toBe("name-last");
    expect([await answers(more), await answers(label)]).toEqual([["A"], null]);
    expect([await door(more), await door(label)]).toEqual([401, 404]);
    expect(await ports.directory.isLabelFree(label)).toBe(false);
  });

  it("are changed in one call, all or none, and a name of somebody else changes nothing", async () => {
    await setFeature(ports, owner, id, "name", true);
    const secret = await nameSecret(ports, owner, id);
    const more = newLabel();
    await addName(ports, owner, id, more, CLIENT);
    const { device: other } = await enroll(ports, await newPerson());
    const patch = async (hosts: string[], ipv4: string) => {
      const request = new Request("http://localhost:8787/api/names", {
        method: "PATCH",
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
        body: JSON.stringify({ hosts, ipv4 }),
      });
      return (await handle(request, ports)).status;
    };
    const [first, second, theirs] = [label, more, other.label].map((one) => `${one}.${ZONE}`);
    if (first === undefined || second === undefined || theirs === undefined) throw new Error();
    expect(await patch([first, second], "203.0.113.4")).toBe(200);
    expect([await answers(label), await answers(more)]).toEqual([["A"], ["A"]]);
    expect(await patch([second, theirs], "203.0.113.5")).toBe(404);
    expect((await nas.stub.describe())?.name?.ipv4).toBe("203.0.113.4");
    const both = `${first},${second}`;
    expect((await update(both, secret, first)).split("\n")).toHaveLength(2);
  });

  it("that the directory has and the device never heard of are held", async () => {
    const lost = newLabel();
    await ports.directory.claimLabel(lost, id);
    await addName(ports, owner, id, newLabel(), CLIENT);
    expect(await ports.names.deviceOfLabel(lost)).toBe(id);
    await bindings.DB_HOME.prepare("UPDATE device SET names_at = 1 WHERE id = ?").bind(id).run();
    await sweep(ports);
    expect(await ports.directory.ownLabels([lost, label], id)).toEqual([label]);
    expect(await ports.directory.isLabelFree(lost)).toBe(false);
  });

  it("are all that a device answers by: one whose only name is another's answers by none", async () => {
    await setFeature(ports, owner, id, "link", true);
    await ports.directory.releaseLabel(label, id, owner);
    await bindings.DB_HOME.prepare("UPDATE device SET names_at = 1 WHERE id = ?").bind(id).run();
    await sweep(ports);
    expect((await nas.stub.describe())?.labels).toEqual([]);
    const remembering = {
      ...ports,
      names: Object.create(ports.names, { deviceOfLabel: { value: async () => id } }),
    };
    const visit = new Request(`http://${label}.link.localhost:8787/`);
    expect((await handle(visit, remembering)).status).toBe(404);
    const to = newLabel();
    expect((await addName(ports, owner, id, to, CLIENT)).labels).toEqual([to]);
  });

  it("are as many as the limit says", async () => {
    for (let count = 1; count < limits.labelsPerDevice; count++) {
      await addName(ports, owner, id, newLabel(), CLIENT);
    }
    expect(await problemOf(addName(ports, owner, id, newLabel(), CLIENT))).toBe("too-many");
    const { labels } = await rename(newLabel());
    expect(labels).toHaveLength(limits.labelsPerDevice);
    // Further names that came in place of others count as those did.
    for (const from of labels.slice(1)) await rename(newLabel(), from);
    expect(await problemOf(addName(ports, owner, id, newLabel(), CLIENT))).toBe("too-many");
  });

  it("that come beside another change stay, whatever that change had read before", async () => {
    const { directory } = ports;
    const read = directory.ownLabels.bind(directory);
    /** Runs `work` once, after the directory was read and before anybody makes something of it. */
    const between = (work: () => Promise<unknown>) =>
      vi.spyOn(directory, "ownLabels").mockImplementationOnce(async (texts, of) => {
        const own = await read(texts, of);
        await work();
        return own;
      });
    const [one, two, three] = [newLabel(), newLabel(), newLabel()];
    await nas.stub.expectLabel(one, null);
    between(async () => {
      await directory.claimLabel(one, id, owner);
      await nas.stub.settleLabels([{ label: one, isOwn: true, wasHere: false }], false);
    });
    const { labels } = await addName(ports, owner, id, two, CLIENT);
    expect(new Set(labels)).toEqual(new Set([label, one, two]));
    await bindings.DB_HOME.prepare("UPDATE device SET names_at = 1 WHERE id = ?").bind(id).run();
    between(() => addName(ports, owner, id, three, CLIENT));
    await sweep(ports);
    const all = [label, one, two, three];
    expect(new Set((await nas.stub.describe())?.labels)).toEqual(new Set(all));
    expect(await directory.ownLabels(all, id)).toEqual(all);
  });

  it("are not taken any more by who gave up too many, until those are free", async () => {
    for (let from = label, count = 0; count < limits.labelsHeldPerAccount; count++) {
      from = (await rename(newLabel(), from)).label;
    }
    expect(await problemOf(addName(ports, owner, id, newLabel(), CLIENT))).toBe("names-held");
    // A device that comes is one more way to the same.
    expect(await problemOf(enroll(ports, owner))).toBe("names-held");
    test.clock.advance(limits.heldLabelMs);
    expect((await addName(ports, owner, id, newLabel(), CLIENT)).labels).toHaveLength(2);
  });

  it("[CON-6] [ACC-11] are held for nobody who was erased just before", async () => {
    const more = newLabel();
    await addName(ports, owner, id, more, CLIENT);
    const given = vi.spyOn(ports.directory, "releaseLabel");
    given.mockImplementationOnce(async (...args) => {
      await bindings.DB_HOME.prepare("DELETE FROM account WHERE id = ?").bind(owner).run();
      await Directory.prototype.releaseLabel.apply(ports.directory, args);
    });
    await releaseName(ports, owner, id, more, CLIENT);
    expect(await ports.directory.heldLabels(owner)).toBe(0);
    await rename(newLabel());
    expect(await ports.directory.heldLabels(owner)).toBe(0);
    expect(await ports.directory.isLabelFree(more, owner)).toBe(false);
  });

  it("[CON-6] [CON-11] go with the device, and are held for its owner; with the account for nobody", async () => {
    const more = newLabel();
    await addName(ports, owner, id, more, CLIENT);
    await removeDevice(ports, owner, id, CLIENT);
    for (const name of [label, more]) {
      expect(await ports.names.deviceOfLabel(name)).toBeNull();
      expect(await problemOf(enroll(ports, await newPerson(), name))).toBe("label-taken");
    }
    const again = await enroll(ports, owner, label);
    await eraseAccount(ports, owner);
    expect(await rowsWith(bindings.DIRECTORY, "label", again.device.id)).toEqual([]);
    expect(await ports.directory.heldLabels(owner)).toBe(0);
    expect(await ports.directory.isLabelFree(more, owner)).toBe(false);
  });
});

describe("a change that broke off", () => {
  /** Renames while the directory or the object is away at one step. */
  async function cutAt(step: "claim" | "object", to: string): Promise<void> {
    const fails = () => Promise.reject(new Error(`${step} is away`));
    const { stub } = nas;
    const object = {
      labels: () => stub.labels(),
      expectLabel: (one: string, instead: string | null) => stub.expectLabel(one, instead),
      settleLabels: fails,
    } as unknown as Enrolled["stub"];
    if (step === "claim") vi.spyOn(ports.directory, "renameLabel").mockImplementationOnce(fails);
    const by = step === "claim" ? ports : { ...ports, devices: { get: () => object } };
    await expect(rename(to, label, by)).rejects.toThrow("away");
  }

  it("before the directory heard of it leaves the name as it was, and the new one free", async () => {
    const to = newLabel();
    await cutAt("claim", to);
    expect((await nas.stub.labels())?.coming).toEqual([to]);
    test.clock.advance(limits.labelSettleMs);
    await sweep(ports);
    expect(await nas.stub.labels()).toEqual({
      primary: label,
      others: [],
      coming: [],
      leaving: [],
    });
    expect(await ports.directory.isLabelFree(to)).toBe(true);
    expect(await rowsWith(bindings.DB_HOME, "device", id)).toMatchObject([{ names_at: null }]);
  });

  it("[CON-6] after that goes through with the next sweep: the name is in one place only", async () => {
    const to = newLabel();
    await cutAt("object", to);
    expect(await ports.names.deviceOfLabel(label)).toBeNull();
    test.clock.advance(limits.labelSettleMs);
    await sweep(ports);
    expect(await nas.stub.labels()).toEqual({ primary: to, others: [], coming: [], leaving: [] });
    expect(await ports.names.deviceOfLabel(to)).toBe(id);
  });

  it("is found though another change came and went beside it", async () => {
    const [old, other] = [newLabel(), newLabel()];
    await addName(ports, owner, id, old, CLIENT);
    vi.spyOn(ports.directory, "releaseLabel").mockImplementationOnce(async (...args) => {
      await addName(ports, owner, id, other, CLIENT);
      await Directory.prototype.releaseLabel.apply(ports.directory, args);
      throw new Error("the process ends");
    });
    const release = releaseName(ports, owner, id, old, CLIENT);
    await expect(release).rejects.toThrow("the process ends");
    expect((await nas.stub.labels())?.others).toContain(old);
    test.clock.advance(limits.labelSettleMs + 2);
    await sweep(ports);
    expect((await nas.stub.labels())?.others).toEqual([other]);
    expect(await rowsWith(bindings.DB_HOME, "device", id)).toMatchObject([{ names_at: null }]);
  });

  it("leaves alone what is announced while the sweep looks at an older one", async () => {
    await cutAt("claim", newLabel());
    test.clock.advance(limits.labelSettleMs);
    const [announced, swept] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const more = newLabel();
    vi.spyOn(ports.directory, "claimLabel").mockImplementationOnce(async (...args) => {
      announced.resolve();
      await swept.promise;
      return await Directory.prototype.claimLabel.apply(ports.directory, args);
    });
    let adding: ReturnType<typeof addName> | null = null;
    const { stub } = nas;
    const beside = new Proxy(stub, {
      get: (target, key) => {
        if (key !== "labels") return Reflect.get(target, key, target);
        return async () => {
          adding ??= addName(ports, owner, id, more, CLIENT);
          await announced.promise;
          return await target.labels();
        };
      },
    });
    const get = (of: string) => (of === id ? beside : test.ports.devices.get(of));
    await sweep({ ...ports, devices: { get } });
    swept.resolve();
    expect((await (adding as ReturnType<typeof addName> | null))?.labels).toContain(more);
    expect(await ports.names.deviceOfLabel(more)).toBe(id);
  });

  it("is done at once by asking again", async () => {
    const to = newLabel();
    await cutAt("claim", to);
    expect((await rename(to)).labels).toEqual([to]);
  });
});
