/** Devices: enrolment, features, access, the two sockets, unregistering. */

import { beforeAll, describe, expect, it } from "vitest";
import { listenHere } from "../../../agent/here.ts";
import {
  agentSocketPath,
  agentSubprotocol,
  closeCodes,
  pingText,
  pongText,
} from "../../../protocol/agent.ts";
import { signAssertion } from "../../../protocol/assertion.ts";
import { Box, newKey, poll, startEnrollment } from "./box.ts";
import { ask } from "./http.ts";
import { newPerson, type Person } from "./person.ts";
import { TestSocket } from "./socket.ts";
import { newLabel, type World } from "./world.ts";

export function devices(world: () => World): void {
  describe("devices", () => {
    let owner: Person;
    beforeAll(async () => {
      owner = await newPerson(world());
    });

    it("[CON-1] enroll with a code that a signed-in person approves", async () => {
      const key = await newKey();
      const started = (await startEnrollment(world(), key)).json;
      expect(started.verification_uri_complete).toContain(started.user_code);
      const pending = await poll(world(), key, started.device_code);
      expect([pending.status, pending.json]).toEqual([400, { error: "authorization_pending" }]);
      const hasty = await poll(world(), key, started.device_code);
      expect(hasty.json).toEqual({ error: "slow_down" });
      const label = newLabel();
      const body = { user_code: started.user_code, label };
      expect((await ask(world(), "/api/enrolments/approve", { body })).status).toBe(401);
      const approve = { body, token: owner.token };
      expect((await ask(world(), "/api/enrolments/approve", approve)).status).toBe(201);
      const again = { body: { ...body, label: newLabel() }, token: owner.token };
      expect((await ask(world(), "/api/enrolments/approve", again)).status).toBe(410);
      const done = await poll(world(), key, started.device_code);
      expect([done.status, done.json.label]).toEqual([200, label]);
      const stranger = await poll(world(), await newKey(), started.device_code);
      expect(stranger.json).toEqual({ error: "access_denied" });
    });

    it("take one label each", async () => {
      const label = newLabel();
      await Box.enroll(world(), owner, label);
      await expect(Box.enroll(world(), owner, label)).rejects.toThrow("409");
    });

    it("[FEA-1] start with every feature off and no connection on record", async () => {
      const box = await Box.enroll(world(), owner, newLabel());
      const socket = await box.connect();
      expect((await box.ask("")).json).toMatchObject({
        features: { name: false, link: false, lan: false },
        access: { mode: "owner", people: [] },
        connection: null,
        name: null,
      });
      socket.socket.close();
    });

    it("show their owner when they come and go, without asking again", async () => {
      const box = await Box.enroll(world(), owner, newLabel());
      await box.switch("link", true);
      const watch = await TestSocket.open(world(), `${box.path}/live`, {
        headers: { authorization: `Bearer ${owner.token}` },
      });
      const socket = await box.connect();
      const online = (value: boolean) => (text: string) =>
        JSON.parse(text).connection?.online === value;
      const shown = JSON.parse(await watch.until(online(true)));
      expect(shown.connection.address).toMatch(/^(127\.0\.0\.1|::1)$/);
      socket.socket.close();
      await watch.until(online(false));
      expect((await box.ask("")).json.connection).toMatchObject({ online: false });
      watch.socket.close();
    });

    it("[CON-3] say where they are at home, and only who is let in by name is told", async () => {
      const box = await Box.enroll(world(), owner, newLabel());
      await box.switch("link", true);
      await box.switch("lan", true);
      const socket = await box.connect();
      const spot = { probe: "http://192.168.1.20:4780", page: "http://192.168.1.20:5000" };
      socket.socket.send(JSON.stringify({ type: "reach", reach: { home: [spot], direct: null } }));
      const smart = (token?: string) =>
        ask(world(), `/${box.label}`, {
          headers: { accept: "text/html", ...(token ? { cookie: `__Host-sid=${token}` } : {}) },
        });
      await expect.poll(async () => (await smart(owner.token)).text).toContain(spot.probe);
      const stranger = await smart();
      expect([stranger.status, stranger.text]).toEqual([303, ""]);
      await box.switch("lan", false);
      expect((await smart(owner.token)).status).toBe(303);
      socket.socket.close();
    });

    it("are told whether a port of theirs is open, by one try at their own address", async () => {
      const box = await Box.enroll(world(), owner, newLabel());
      await box.switch("link", true);
      const socket = await box.connect();
      const port = 8443;
      const check = async () => (await box.ask("/reachability", "POST", { port })).json;
      expect(await check()).toEqual({ result: "closed" });
      const { privateKey } = box.key;
      const at = { port, host: "127.0.0.1", tls: null, cloud: world().origin };
      const here = await listenHere({ ...at, privateKey, spots: () => [] });
      expect(await check()).toEqual({ result: "this-device" });
      await here.close();
      socket.socket.close();
    });

    it("are answered a ping", async () => {
      const box = await Box.enroll(world(), owner, newLabel());
      const socket = await box.connect();
      socket.socket.send(pingText);
      expect(await socket.next()).toBe(pongText);
      socket.socket.close();
    });

    it("have one socket: a newer one replaces the older", async () => {
      const box = await Box.enroll(world(), owner, newLabel());
      await box.switch("link", true);
      const older = await box.connect();
      const newer = await box.connect();
      expect(await older.closed).toBe(closeCodes.replaced);
      expect((await box.ask("")).json.connection).toMatchObject({ online: true });
      newer.socket.close();
    });

    it("connect with an assertion of their own key only, and once with each", async () => {
      const box = await Box.enroll(world(), owner, newLabel());
      const { privateKey } = await newKey();
      const now = Date.now();
      const forged = [
        await signAssertion(privateKey, box.id, world().origin, now),
        await signAssertion(box.key.privateKey, box.id, "https://elsewhere.example", now),
        await signAssertion(box.key.privateKey, box.id, world().origin, now - 600_000),
      ];
      for (const assertion of forged) {
        await expect(box.connect(assertion)).rejects.toThrow("refused with 401");
      }
      const assertion = await box.assertion();
      const socket = await box.connect(assertion);
      await expect(box.connect(assertion)).rejects.toThrow("refused with 401");
      socket.socket.close();
    });

    it("let their owner decide who may come in", async () => {
      const box = await Box.enroll(world(), owner, newLabel());
      const guest = await newPerson(world());
      const mode = await box.ask("/access", "PUT", { mode: "listed" });
      expect(mode.json.access).toMatchObject({ mode: "listed", people: [] });
      const path = `/access/people/${guest.accountId}`;
      expect((await box.ask(path, "PUT")).json.access.people).toEqual([guest.accountId]);
      expect((await box.ask(path, "DELETE")).json.access.people).toEqual([]);
    });

    it("answer nobody but their owner", async () => {
      const box = await Box.enroll(world(), owner, newLabel());
      const { token } = await newPerson(world());
      for (const [method, path, body] of [
        ["GET", "", null],
        ["DELETE", "", null],
        ["PUT", "/features/link", { on: true }],
        ["PUT", "/access", { mode: "everyone" }],
        ["PUT", `/access/people/${owner.accountId}`, null],
        ["POST", "/name/tokens", {}],
      ] as const) {
        const answer = await ask(world(), box.path + path, {
          method,
          token,
          ...(body === null ? {} : { body }),
        });
        expect([method, path, answer.status]).toEqual([method, path, 404]);
      }
      const live = TestSocket.open(world(), `${box.path}/live`, {
        headers: { authorization: `Bearer ${token}` },
      });
      await expect(live).rejects.toThrow("refused with 404");
      expect((await box.ask("")).json.features.link).toBe(false);
    });

    it("[CON-11] are gone when unregistered: socket, row and label", async () => {
      const leaving = await newPerson(world());
      const box = await Box.enroll(world(), leaving, newLabel());
      const socket = await box.connect();
      expect((await box.ask("", "DELETE")).status).toBe(204);
      expect(await socket.closed).toBe(closeCodes.unregistered);
      expect((await box.ask("")).status).toBe(404);
      await expect(box.connect()).rejects.toThrow(/refused with 4/);
      const stranger = await newPerson(world());
      await expect(Box.enroll(world(), stranger, box.label)).rejects.toThrow("409");
      const list = await ask(world(), "/api/devices", { token: leaving.token });
      expect(list.json.devices.map((device: { id: string }) => device.id)).not.toContain(box.id);
    });

    it("refuse a socket that is no WebSocket or speaks another protocol", async () => {
      expect((await ask(world(), agentSocketPath)).status).toBe(426);
      const headers = { authorization: "Bearer nothing" };
      const other = TestSocket.open(world(), agentSocketPath, { protocols: ["chat"], headers });
      await expect(other).rejects.toThrow("refused with 400");
      const forged = TestSocket.open(world(), agentSocketPath, {
        protocols: [agentSubprotocol],
        headers,
      });
      await expect(forged).rejects.toThrow("refused with 401");
    });
  });
}
