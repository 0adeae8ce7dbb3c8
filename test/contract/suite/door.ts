/** The door of a device: who comes in, and what passes through. */

import { request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Box } from "./box.ts";
import { type Answer, type Ask, ask, cookieOf } from "./http.ts";
import { newPerson, type Person } from "./person.ts";
import { fileBytes, type HomeService, sha256, startHomeService } from "./service.ts";
import type { TestSocket } from "./socket.ts";
import { newLabel, type World } from "./world.ts";

const PAUSED_MIB = 128;
const PAGE = { accept: "text/html" };

export function doors(world: () => World): void {
  describe("doors", () => {
    let owner: Person;
    let stranger: Person;
    let box: Box;
    let service: HomeService;
    let socket: TestSocket;
    let host: string;

    beforeAll(async () => {
      owner = await newPerson(world());
      stranger = await newPerson(world());
      service = await startHomeService();
      box = await Box.enroll(world(), owner, newLabel());
      host = world().doorHost(box.label);
      await box.switch("link", true);
      socket = await box.serve(service.origin);
    });
    afterAll(async () => {
      socket.socket.terminate();
      await service.close();
    });

    const visit = (path: string, options: Ask = {}) => ask(world(), path, { host, ...options });

    /** Knocks like a browser that is signed in at the console; returns the answer after the code. */
    async function enter(person: Person, to = "/hello"): Promise<Answer> {
      const knock = await visit(to, { headers: PAGE });
      expect(knock.status).toBe(303);
      const nonce = cookieOf(knock, "__Host-door-nonce");
      const handoff = await ask(world(), pathOf(knock), { token: person.token, headers: PAGE });
      if (handoff.status !== 303) return handoff;
      expect(new URL(String(handoff.headers.location)).host).toBe(host);
      return await visit(pathOf(handoff), { headers: { cookie: `__Host-door-nonce=${nonce}` } });
    }

    async function cookieFor(person: Person): Promise<string> {
      return `__Host-door=${cookieOf(await enter(person), "__Host-door")}`;
    }

    it("leads every path to the device, also one that the console serves on its own host", async () => {
      const { text } = await ask(world(), "/sign-in", { headers: PAGE });
      const [path = ""] = text.match(/\/assets\/[^"]+\.css/) ?? [];
      expect((await ask(world(), path)).status).toBe(200);
      const headers = { cookie: await cookieFor(owner) };
      for (const at of [path, path.replace("/assets", "")]) {
        const passed = await visit(at, { headers });
        expect([passed.status, passed.text], at).toEqual([404, "not here"]);
      }
    });

    it("of an unknown name is no door", async () => {
      const nowhere = { host: world().doorHost(newLabel()) };
      const program = await ask(world(), "/", nowhere);
      expect([program.status, program.json.code]).toEqual([404, "not-found"]);
      const page = await ask(world(), "/", { ...nowhere, headers: PAGE });
      expect(page.status).toBe(404);
      expect(page.headers["content-type"]).toMatch(/^text\/html/);
      expect(
        (await ask(world(), "/", { host: `${world().linkZone}:${world().port}` })).status,
      ).toBe(404);
    });

    it("is private: a program is told to sign in, a browser is led there", async () => {
      expect((await visit("/hello")).json.code).toBe("not-signed-in");
      const knock = await visit("/hello?a=1", { headers: PAGE });
      const target = new URL(String(knock.headers.location));
      expect([knock.status, target.origin, target.pathname]).toEqual([
        303,
        world().origin,
        "/door",
      ]);
      expect(target.searchParams.get("to")).toBe("/hello?a=1");
      const unknown = await ask(world(), pathOf(knock), { headers: PAGE });
      expect(unknown.headers.location).toMatch(/^\/sign-in\?return=/);
    });

    it("[CON-3] lets its owner in by a code that works once and in one browser", async () => {
      const knock = await visit("/hello", { headers: PAGE });
      const nonce = cookieOf(knock, "__Host-door-nonce");
      const handoff = await ask(world(), pathOf(knock), { token: owner.token, headers: PAGE });
      const path = pathOf(handoff);
      expect((await visit(path, { headers: PAGE })).status).toBe(410);
      const fresh = await ask(world(), pathOf(knock), { token: owner.token, headers: PAGE });
      const headers = { ...PAGE, cookie: `__Host-door-nonce=${nonce}` };
      const entered = await visit(pathOf(fresh), { headers });
      expect([entered.status, entered.headers.location]).toEqual([303, "/hello"]);
      expect((await visit(pathOf(fresh), { headers })).status).toBe(410);
      const cookie = `__Host-door=${cookieOf(entered, "__Host-door")}; own=1`;
      const shown = await visit("/hello", { headers: { cookie } });
      expect([shown.status, shown.json.method]).toEqual([200, "GET"]);
      expect(shown.json.headers.cookie).toBe("own=1");
    });

    it("[CON-3] lets nobody else in, and a listed person for as long as they are listed", async () => {
      expect((await enter(stranger)).status).toBe(403);
      await box.ask("/access", "PUT", { mode: "listed" });
      expect((await enter(stranger)).status).toBe(403);
      await box.ask(`/access/people/${stranger.accountId}`, "PUT");
      const cookie = await cookieFor(stranger);
      expect((await visit("/hello", { headers: { cookie } })).status).toBe(200);
      await box.ask(`/access/people/${stranger.accountId}`, "DELETE");
      expect((await visit("/hello", { headers: { cookie } })).status).toBe(401);
      await box.ask("/access", "PUT", { mode: "owner" });
    });

    it("refuses a change that a page of another site asked for", async () => {
      const cookie = await cookieFor(owner);
      const forged = await visit("/hash", {
        body: "x",
        headers: { cookie, "sec-fetch-site": "cross-site", origin: "https://evil.example" },
      });
      expect(forged.status).toBe(403);
      const own = await visit("/hash", {
        body: "x",
        headers: { cookie, "sec-fetch-site": "same-origin", origin: `http://${host}` },
      });
      expect([own.status, own.text]).toEqual([200, sha256(Buffer.from("x"))]);
    });

    describe("that is open to everyone", () => {
      beforeAll(async () => {
        await box.ask("/access", "PUT", { mode: "everyone" });
      });

      it("tells the device who visits, and believes no visitor's word for it", async () => {
        const forged = {
          "x-forwarded-for": "203.0.113.9",
          forwarded: "for=203.0.113.9",
          "x-latchkey-peer": "203.0.113.9",
          "cf-connecting-ip": "203.0.113.9",
        };
        for (const ours of [{}, { "x-latchkey-way": "agent" }, { "X-Latchkey-Way": "door" }]) {
          const { headers } = (await visit("/hello", { headers: { ...forged, ...ours } })).json;
          expect(JSON.stringify(headers)).not.toContain("203.0.113.9");
          expect(headers).toMatchObject({ host, "x-forwarded-proto": "http" });
          expect(headers["x-forwarded-for"]).toMatch(/^(127\.0\.0\.1|::1)$/);
        }
      });

      it("passes headers on one by one, and none that is between two hops", async () => {
        const shown = await visit("/hello", {
          headers: { "x-own": "kept", te: "trailers" },
        });
        expect(shown.headers["set-cookie"]).toEqual(["a=1; Path=/", "b=2; Path=/"]);
        expect(shown.json.headers).toMatchObject({ "x-own": "kept" });
        expect(shown.json.headers.te).toBeUndefined();
        expect((await visit("/nothing")).status).toBe(404);
      });

      it("brings 8 MiB out and in with equal hashes", async () => {
        const bytes = fileBytes(8);
        const out = await visit("/file?mib=8");
        expect([out.body.length, sha256(out.body)]).toEqual([bytes.length, sha256(bytes)]);
        expect((await visit("/hash", { body: bytes })).text).toBe(sha256(bytes));
      });

      it("holds the device back while a visitor does not read, and no one else", async () => {
        const path = `http://127.0.0.1:${world().port}/stream?mib=${PAUSED_MIB}`;
        const paused = await request(path, { headers: { host } });
        for (let time = 0; time < 4; time++) {
          expect((await visit("/file?mib=8")).body.length).toBe(8 * 1024 * 1024);
        }
        expect(service.streamed()).toBeLessThan((PAUSED_MIB / 4) * 1024 * 1024);
        let read = 0;
        for await (const chunk of paused.body) read += chunk.length;
        expect(read).toBe(PAUSED_MIB * 1024 * 1024);
      });

      it("serves many at once", async () => {
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, at) => visit(`/hello?${at}`)),
        );
        expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(200));
      });

      it("shows an error, never a short success, when the service breaks off", async () => {
        await expect(visit("/breaks")).rejects.toThrow();
      });

      it("shows an error, never a short success, when the device drops", async () => {
        const answer = await request(`http://127.0.0.1:${world().port}/waits`, {
          headers: { host },
        });
        const read = answer.body.text();
        socket.socket.terminate();
        await expect(read).rejects.toThrow();
        socket = await box.serve(service.origin);
        expect((await visit("/hello")).status).toBe(200);
      });

      it("says so when the service does not answer", async () => {
        const nobody = await startHomeService();
        await nobody.close();
        socket = await box.serve(nobody.origin);
        expect((await visit("/hello")).status).toBe(502);
        socket = await box.serve(service.origin);
      });

      it("says so when the device is offline", async () => {
        const ended = socket.closed;
        socket.socket.close();
        await ended;
        const answer = await visit("/hash", { body: "x" });
        expect([answer.status, answer.json.code]).toEqual([503, "device-offline"]);
        socket = await box.serve(service.origin);
        expect((await visit("/hello")).status).toBe(200);
      });

      it("[FEA-4] closes when the feature is switched off", async () => {
        await box.switch("link", false);
        expect((await visit("/hello")).status).toBe(404);
        await box.switch("link", true);
      });
    });
  });
}

/** Path and query of where an answer leads. */
function pathOf(answer: Answer): string {
  const url = new URL(String(answer.headers.location));
  return url.pathname + url.search;
}
