/** Unregistering a device: what it removes, what it keeps from whom, and how it ends when it broke off. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Directory } from "../../db/directory.ts";
import { closeCodes } from "../../protocol/agent.ts";
import { limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import {
  allow,
  getDevice,
  listDevices,
  setFeature,
  unregisterDevice,
} from "../../workers/devices/devices.ts";
import { removeDevice } from "../../workers/devices/owning.ts";
import type { Ports } from "../../workers/ports.ts";
import { oldestOverdue, sweep } from "../../workers/privacy/sweep.ts";
import { nameSecret } from "../support/name.ts";
import { CLIENT } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { published } from "../support/records.ts";
import {
  askSocket,
  bindings,
  connect,
  type Enrolled,
  enroll,
  keysOf,
  newLabel,
  newPerson,
  poll,
  problemOf,
  rowsWith,
} from "./devices-support.ts";

let test: TestPorts;
let ports: Ports;
let owner: string;
beforeEach(async () => {
  test = testPorts({ env });
  ports = test.ports;
  owner = await newPerson();
});

/** Ports with one step of unregistering away: the steps before it are done. */
function cutAt(broken: "object" | "label" | "guests"): Ports {
  const fails = () => Promise.reject(new Error(`${broken} is away`));
  switch (broken) {
    case "object": {
      const gone = { unregister: fails } as unknown as Enrolled["stub"];
      return { ...ports, devices: { get: () => gone } };
    }
    case "label":
      return { ...ports, directory: { holdLabelsOf: fails } as unknown as Ports["directory"] };
    case "guests":
      return { ...ports, regions: { ...ports.regions, ids: ["mars", "home"] } };
  }
}

describe("unregistering", () => {
  it("[CON-11] removes record, name, tokens, sockets and rows; what it used to know is refused", async () => {
    const label = newLabel();
    const enrolled = await enroll(ports, owner, label);
    const { device, key, started, stub } = enrolled;
    const person = await newPerson();
    await setFeature(ports, owner, device.id, "name", true);
    await setFeature(ports, owner, device.id, "link", true);
    await allow(ports, owner, device.id, person);
    const secret = await nameSecret(ports, owner, device.id);
    const door = await stub.issueDoorCode(owner, "nonce", "ses");
    expect(door.kind).toBe("code");
    const agent = await connect(ports, enrolled);
    expect(await keysOf(`feature/${device.id}/`)).toHaveLength(2);
    expect(await ports.names.deviceOfLabel(label)).toBe(device.id);

    await unregisterDevice(ports, owner, device.id);
    expect(await agent.closed).toBe(closeCodes.unregistered);
    expect(agent.all).toContainEqual({ type: "unregistered" });
    expect(await keysOf(`feature/${device.id}/`)).toEqual([]);
    for (const table of ["device", "device_guest", "enrolment", "enrolment_grant"]) {
      expect([table, await rowsWith(bindings.DB_HOME, table, device.id)]).toEqual([table, []]);
    }
    expect(await rowsWith(bindings.DIRECTORY, "label", device.id)).toEqual([]);
    expect(await ports.names.deviceOfLabel(label)).toBeNull();
    expect(await ports.directory.isLabelFree(label)).toBe(false);

    const again = await askSocket(ports, enrolled);
    expect(again.status).toBe(410);
    const update = { secret, ipv4: "keep", ipv6: "keep" } as const;
    expect((await stub.updateAddresses(update)).verdict).toBe("nohost");
    expect(await published(stub)).toBeNull();
    expect((await stub.issueDoorCode(owner, "nonce", "ses")).kind).toBe("off");
    expect((await poll(ports, key, started.device_code)).kind).toBe("error");
    expect(await problemOf(getDevice(ports, owner, device.id))).toBe("not-found");
    const visit = new Request(`http://${label}.link.localhost:8787/`);
    expect((await handle(visit, ports)).status).toBe(404);
  });

  it("[CON-6] keeps the label from everybody, its last owner too, for 180 days", async () => {
    const label = newLabel();
    const { device } = await enroll(ports, owner, label);
    await unregisterDevice(ports, owner, device.id);
    expect(await problemOf(enroll(ports, owner, label))).toBe("label-taken");
    test.clock.advance(limits.heldLabelMs - 1);
    expect(await problemOf(enroll(ports, owner, label))).toBe("label-taken");
    test.clock.advance(2);
    expect((await enroll(ports, await newPerson(), label)).device.label).toBe(label);
  });

  it("is finished by asking again, wherever it broke off", async () => {
    for (const broken of ["object", "label", "guests"] as const) {
      const label = newLabel();
      const { device, stub } = await enroll(ports, owner, label);
      await allow(ports, owner, device.id, await newPerson());
      await expect(unregisterDevice(cutAt(broken), owner, device.id)).rejects.toThrow();
      expect(await rowsWith(bindings.DB_HOME, "device", device.id)).toHaveLength(1);
      await unregisterDevice(ports, owner, device.id);
      expect(await rowsWith(bindings.DB_HOME, "device", device.id)).toEqual([]);
      expect(await rowsWith(bindings.DB_HOME, "device_guest", device.id)).toEqual([]);
      expect(await ports.directory.isLabelFree(label)).toBe(false);
      expect(await stub.describe()).toBeNull();
    }
  });

  describe("that broke off", () => {
    type Step = Parameters<typeof cutAt>[0];

    /** A device with a guest, whose unregistering broke off so long ago that it could be anything. */
    async function brokenOff(broken: Step): Promise<Enrolled> {
      const enrolled = await enroll(ports, owner);
      await allow(ports, owner, enrolled.device.id, await newPerson());
      await expect(unregisterDevice(cutAt(broken), owner, enrolled.device.id)).rejects.toThrow();
      test.clock.advance(limits.enrolmentMs + 1);
      return enrolled;
    }

    /** Everything is gone, and the label is nobody's for as long as after any unregistering. */
    async function expectEnded({ device, stub }: Enrolled): Promise<void> {
      for (const table of ["device", "device_guest", "enrolment_grant"]) {
        expect([table, await rowsWith(bindings.DB_HOME, table, device.id)]).toEqual([table, []]);
      }
      expect(await stub.describe()).toBeNull();
      expect(await ports.directory.isLabelFree(device.label)).toBe(false);
      expect(await rowsWith(bindings.DIRECTORY, "label", device.id)).toEqual([]);
    }

    it.each(["object", "label", "guests"] as const)(
      "[CON-6] [CON-11] at its %s is finished by the next sweep, though nobody looks",
      async (broken) => {
        const enrolled = await brokenOff(broken);
        const late = async () =>
          (await oldestOverdue(ports)).find(({ lane }) => lane === "unregistering")?.overdueMs;
        expect(await late()).toBe(limits.enrolmentMs + 1);
        await sweep(ports);
        await expectEnded(enrolled);
        expect(await late()).toBe(0);
      },
    );

    it.each(["label", "guests"] as const)(
      "[CON-6] [CON-11] at its %s is finished by a look at the list, and frees no label",
      async (broken) => {
        const enrolled = await brokenOff(broken);
        expect(await listDevices(ports, owner)).toEqual([]);
        await test.settle();
        await expectEnded(enrolled);
      },
    );
  });

  it("[CON-6] leaves the name held for its owner, though the sweep finished it", async () => {
    for (const broken of ["label", "guests"] as const) {
      const { device } = await enroll(ports, owner);
      await expect(removeDevice(cutAt(broken), owner, device.id, CLIENT)).rejects.toThrow();
      await sweep(ports);
      expect(await rowsWith(bindings.DB_HOME, "device", device.id)).toEqual([]);
      const { label } = device;
      expect(await problemOf(enroll(ports, await newPerson(), label))).toBe("label-taken");
      expect((await enroll(ports, owner, label)).device.label).toBe(label);
    }
  });

  it("[CON-6] [ACC-11] holds no name for somebody who was erased, not even just before", async () => {
    const forget = () =>
      bindings.DB_HOME.prepare("DELETE FROM account WHERE id = ?").bind(owner).run();
    const broken = await enroll(ports, owner);
    await expect(removeDevice(cutAt("label"), owner, broken.device.id, CLIENT)).rejects.toThrow();
    const { device } = await enroll(ports, owner);
    const holdLabelsOf = vi.spyOn(ports.directory, "holdLabelsOf");
    holdLabelsOf.mockImplementationOnce(async (...args) => {
      await forget();
      await Directory.prototype.holdLabelsOf.apply(ports.directory, args);
    });
    await removeDevice(ports, owner, device.id, CLIENT);
    await sweep(ports);
    expect(await rowsWith(bindings.DB_HOME, "device", owner)).toEqual([]);
    expect(holdLabelsOf.mock.calls.map(([, holder]) => holder)).toEqual([owner, undefined]);
    expect(await ports.directory.heldLabels(owner)).toBe(0);
    expect(await ports.directory.isLabelFree(device.label)).toBe(false);
  });

  it("that fails for one device holds up no other", async () => {
    const [one, other] = [await enroll(ports, owner), await enroll(ports, owner)];
    for (const { device } of [one, other]) {
      await expect(unregisterDevice(cutAt("object"), owner, device.id)).rejects.toThrow();
    }
    const stuck: Ports = {
      ...ports,
      devices: {
        get: (id) => (id === one.device.id ? cutAt("object").devices : ports.devices).get(id),
      },
    };
    await sweep(stuck);
    expect(test.lines).toContainEqual(
      expect.objectContaining({ event: "sweep-failed", lane: "unregistering" }),
    );
    expect(await rowsWith(bindings.DB_HOME, "device", other.device.id)).toEqual([]);
    expect(await rowsWith(bindings.DB_HOME, "device", one.device.id)).toHaveLength(1);
    await sweep(ports);
    expect(await rowsWith(bindings.DB_HOME, "device", one.device.id)).toEqual([]);
  });

  it("leaves no word of a person who was being let in", async () => {
    const { device } = await enroll(ports, owner);
    const person = await newPerson();
    await ports.devices.get(device.id).unregister();
    expect(await problemOf(allow(ports, owner, device.id, person))).toBe("not-found");
    expect(await rowsWith(bindings.DB_HOME, "device_guest", person)).toEqual([]);
  });

  it("while a switch is under way leaves no key and no record", async () => {
    const enrolled = await enroll(ports, owner);
    const { device, stub } = enrolled;
    await connect(ports, enrolled);
    const switched = [stub.setFeature("name", true), stub.setFeature("link", true)];
    const done = unregisterDevice(ports, owner, device.id);
    await Promise.allSettled([...switched, stub.setFeature("name", true), done]);
    await done;
    expect(await keysOf(`feature/${device.id}/`)).toEqual([]);
    expect(await stub.describe()).toBeNull();
  });
});
