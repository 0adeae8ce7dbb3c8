/** The real agent, as `npx latchkey-agent enroll` and `run` start it. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { enroll } from "../../../agent/enroll.ts";
import { run } from "../../../agent/run.ts";
import { ask } from "./http.ts";
import { newPerson, type Person } from "./person.ts";
import { fileBytes, type HomeService, sha256, startHomeService } from "./service.ts";
import { newLabel, type World } from "./world.ts";

export function agents(world: () => World): void {
  describe("the agent", () => {
    const label = newLabel();
    const stop = new AbortController();
    const lines: string[] = [];
    let heard: () => void = () => undefined;
    let home: string;
    let service: HomeService;
    let owner: Person;
    let ended: ReturnType<typeof run>;
    let path: string;

    beforeAll(async () => {
      home = await mkdtemp(join(tmpdir(), "latchkey-agent-"));
      service = await startHomeService();
      owner = await newPerson(world());
    });
    afterAll(async () => {
      stop.abort();
      await ended;
      await service.close();
      await rm(home, { recursive: true });
    });

    const visit = (to: string, body?: Uint8Array) =>
      ask(world(), to, { host: world().doorHost(label), ...(body === undefined ? {} : { body }) });
    const own = (below: string, method: string, body: object) =>
      ask(world(), path + below, { token: owner.token, method, body });

    /** Resolves when the agent has said `count` lines that match. */
    async function said(pattern: RegExp, count: number): Promise<void> {
      while (lines.filter((line) => pattern.test(line)).length < count) {
        await new Promise<void>((resolve) => {
          heard = resolve;
        });
      }
    }

    it("enrolls with its owner's approval and serves visitors", async () => {
      const device = await enroll({
        cloud: world().origin,
        home,
        async onCode({ user_code }) {
          const body = { user_code, label };
          const approve = { token: owner.token, body };
          expect((await ask(world(), "/api/enrolments/approve", approve)).status).toBe(201);
        },
      });
      expect(device).toMatchObject({ label, cloud: world().origin });
      path = `/api/devices/${device.device_id}`;
      await own("/features/link", "PUT", { on: true });
      await own("/access", "PUT", { mode: "everyone" });
      ended = run({
        home,
        serve: service.origin,
        signal: stop.signal,
        log(line) {
          lines.push(line);
          heard();
        },
      });
      await said(/^Connected/, 1);
      expect((await visit("/hello")).status).toBe(200);
      const bytes = fileBytes(2);
      expect(sha256((await visit("/file?mib=2")).body)).toBe(sha256(bytes));
      expect((await visit("/hash", bytes)).text).toBe(sha256(bytes));
    });

    it("comes back by itself after the cloud restarted", async () => {
      await world().restart();
      await said(/^Connected/, 2);
      expect((await visit("/hello")).status).toBe(200);
    });

    it("ends when its owner unregisters the device", async () => {
      expect((await ask(world(), path, { token: owner.token, method: "DELETE" })).status).toBe(204);
      expect(await ended).toBe("unregistered");
      expect((await visit("/hello")).status).toBe(404);
    });
  });
}
