/** What stays over a restart, and what is gone for good after an erasure. Runs last: it restarts. */

import { describe, expect, it } from "vitest";
import { newMarker, search } from "../../support/canary.ts";
import { Box } from "./box.ts";
import { ask } from "./http.ts";
import { addressOf } from "./name.ts";
import { newPerson } from "./person.ts";
import { newLabel, type World } from "./world.ts";

const ADDRESS = "2001:db8:77:88:99:aa:bb:cc";

/** A person with a device that has all of its features on, each holding something. */
export async function household(world: World) {
  const person = await newPerson(world);
  const box = await Box.enroll(world, person, newLabel());
  await box.switch("name", true);
  await box.switch("link", true);
  const secret = await box.nameToken();
  const host = `${box.label}.${world.ddnsZone}`;
  const authorization = `Basic ${Buffer.from(`${host}:${secret}`).toString("base64")}`;
  const updated = await ask(world, `/nic/update?hostname=${host}&myip=${ADDRESS}`, {
    headers: { authorization, "user-agent": "contract/1.0 test@example.test" },
  });
  expect(updated.text.trim()).toBe(`good ${ADDRESS}`);
  return { person, box, host, secret };
}

export function lasting(world: () => World): void {
  describe("what lasts", () => {
    it("accounts, sessions, devices and names are there after a restart", async () => {
      const { person, box, host } = await household(world());
      const socket = await box.connect();
      const ended = socket.closed;
      await world().restart();
      socket.socket.terminate();
      await ended;
      const { token } = person;
      expect((await ask(world(), "/api/account", { token })).json.address).toBe(person.address);
      expect((await box.ask("")).json).toMatchObject({ label: box.label });
      expect(await addressOf(world(), host, "AAAA")).toEqual([ADDRESS]);
      const again = await box.connect();
      expect((await box.ask("")).json.connection.online).toBe(true);
      again.socket.close();
    });

    it("[RGT-4] an erased account is nowhere: no sign-in, no device, no name, no byte", async () => {
      const [leaving, staying] = [await household(world()), await household(world())];
      const { person, box, host, secret } = leaving;
      const socket = await box.connect();
      const markers = {
        address: person.address,
        local: person.address.split("@")[0] ?? "",
        password: person.password,
        session: person.token,
        label: box.label,
        secret,
        update: ADDRESS,
      };
      const { data } = world();
      await search({ folder: data, markers: {}, controls: { label: box.label } });
      const controls = { label: staying.box.label };
      const wrong = { method: "DELETE", token: person.token, body: { password: newMarker() } };
      expect((await ask(world(), "/api/account", wrong)).status).toBe(401);
      const right = { ...wrong, body: { password: person.password } };
      expect((await ask(world(), "/api/account", right)).status).toBe(204);
      await socket.closed;
      expect((await ask(world(), "/api/account", { token: person.token })).status).toBe(401);
      const { address, password } = person;
      const back = await ask(world(), "/api/sessions", { body: { address, password } });
      expect(back.status).toBe(401);
      expect(await addressOf(world(), host, "AAAA")).toEqual([]);
      const door = await ask(world(), "/", { host: world().doorHost(box.label) });
      expect(door.status).toBe(404);
      await world().sweep();
      expect(await search({ folder: data, markers, controls })).toEqual([]);
      expect((await staying.box.ask("")).status).toBe(200);
    });

    it("[CON-11] an unregistered device leaves no byte", async () => {
      const [leaving, staying] = [await household(world()), await household(world())];
      expect((await leaving.box.ask("", "DELETE")).status).toBe(204);
      await world().sweep();
      const markers = { label: leaving.box.label, secret: leaving.secret };
      const controls = { label: staying.box.label };
      expect(await search({ folder: world().data, markers, controls })).toEqual([]);
    });
  });
}
