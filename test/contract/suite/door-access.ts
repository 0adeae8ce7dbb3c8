/** Who comes in at a door: rules of paths, contacts, shares, the first page, what the device is told. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Box } from "./box.ts";
import { type Answer, type Ask, ask, cookieOf } from "./http.ts";
import { Life } from "./life.ts";
import { newPerson, type Person } from "./person.ts";
import { type HomeService, startHomeService } from "./service.ts";
import type { TestSocket } from "./socket.ts";
import { newLabel, type World } from "./world.ts";

const PAGE = { accept: "text/html" };
const FORM = {
  "content-type": "application/x-www-form-urlencoded",
  "sec-fetch-site": "same-origin",
};
const DAY = 24 * 60 * 60 * 1000;

export function doorAccess(world: () => World): void {
  describe("who comes in at a door", () => {
    let owner: Person;
    let friend: Person;
    let stranger: Person;
    let box: Box;
    let service: HomeService;
    let socket: TestSocket;

    beforeAll(async () => {
      owner = await newPerson(world());
      [friend, stranger] = [await newPerson(world()), await newPerson(world())];
      service = await startHomeService();
      box = await Box.enroll(world(), owner, newLabel());
      await box.switch("link", true);
      socket = await box.serve(service.origin);
    });
    afterAll(async () => {
      socket.socket.terminate();
      await service.close();
    });

    const status = async (path: string, cookie = "", headers: Ask["headers"] = {}) =>
      (await box.visit(path, { headers: { cookie, ...headers } })).status;

    /** The cookie of a visit that began at the console; the status of what the door said instead. */
    async function enter(person: Person): Promise<string> {
      const answer = await box.enter(await box.knock(person.token).catch(() => failed));
      const visit = cookieOf(answer, "__Host-door");
      return visit === null ? `refused ${answer.status}` : `__Host-door=${visit}`;
    }
    const failed = { nonce: "", path: "/.well-known/latchkey/enter?code=none", code: "" };

    const post = (path: string, fields: Record<string, string>): Promise<Answer> =>
      box.visit(path, { method: "POST", headers: FORM, body: `${new URLSearchParams(fields)}` });

    async function share(more: object) {
      const expires_at = new Date(Date.now() + DAY).toISOString();
      const whole = { name: "", people: [], password: null, audience: "link", expires_at, ...more };
      const answer = await box.ask("/shares", "POST", whole);
      expect([answer.status, answer.text]).toEqual([201, expect.anything()]);
      const { pathname } = new URL(answer.json.address);
      return { id: String(answer.json.share?.id ?? answer.json.id), pathname };
    }

    it("[CON-3] is said for each path, the deepest rule first", async () => {
      const rule = { service: "web", path: "/file", mode: "everyone" };
      const made = await box.ask("/access/rules", "PUT", rule);
      expect(made.status).toBe(200);
      expect([await status("/file?mib=1"), await status("/hello")]).toEqual([200, 401]);
      expect(await status("/file/..%2fhello"), "another reading of the path").toBe(401);
      const own = await enter(owner);
      expect([await status("/file?mib=1", own), await status("/hello", own)]).toEqual([200, 200]);
      const [{ id }] = made.json.access.rules;
      expect((await box.ask(`/access/rules/${id}`, "DELETE")).status).toBe(200);
      expect(await status("/file?mib=1")).toBe(401);
    });

    it("[CON-3] is a contact for as long as they are one", async () => {
      await box.ask("/access", "PUT", { mode: "contacts" });
      expect(await enter(friend)).toMatch(/^refused/);
      await new Life(world(), owner).befriend(friend);
      const cookie = await enter(friend);
      expect(await status("/hello", cookie)).toBe(200);
      expect(await enter(stranger)).toMatch(/^refused/);
      const end = { method: "DELETE", token: friend.token };
      expect((await ask(world(), `/api/contacts/${owner.accountId}`, end)).status).toBeLessThan(
        300,
      );
      expect(await status("/hello", cookie)).toBe(401);
      await box.ask("/access", "PUT", { mode: "owner" });
    });

    it("[FEA-6] is whoever has a link, and its password, until it is stopped", async () => {
      const { id, pathname } = await share({ path: "/hello", password: "open sesame" });
      const page = await box.visit(pathname, { headers: PAGE });
      expect([page.status, page.headers["set-cookie"]]).toEqual([200, undefined]);
      for (const password of ["", "close sesame"]) {
        expect((await post(pathname, { password })).status).toBe(403);
      }
      const forged = await box.visit(pathname, {
        ...{ method: "POST", body: "password=open+sesame" },
        headers: { ...FORM, "sec-fetch-site": "cross-site" },
      });
      expect(forged.status).toBe(403);
      const opened = await post(pathname, { password: "open sesame" });
      expect([opened.status, opened.headers.location]).toEqual([303, "/hello"]);
      const cookie = `__Host-door=${cookieOf(opened, "__Host-door")}`;
      expect([await status("/hello", cookie), await status("/file?mib=1", cookie)]).toEqual([
        200, 401,
      ]);
      expect((await box.ask(`/shares/${id}`, "DELETE")).status).toBe(204);
      expect(await status("/hello", cookie)).toBe(401);
      expect((await post(pathname, { password: "open sesame" })).status).toBe(403);
      expect((await box.ask("/shares")).json.shares).toEqual([]);
    });

    it("[FEA-6] is whom something is shared with, and nobody after its time", async () => {
      const expires_at = new Date(Date.now() + 1500).toISOString();
      const people = [friend.accountId];
      await share({ path: "/hello", audience: "people", people, expires_at });
      const cookie = await enter(friend);
      expect(await status("/hello", cookie)).toBe(200);
      expect(await enter(stranger)).toMatch(/^refused/);
      await expect.poll(() => status("/hello", cookie), { timeout: 10_000 }).not.toBe(200);
      expect((await box.ask("/shares")).json.shares).toEqual([]);
    });

    it("is told once, at an open door, whose page it is", async () => {
      await box.ask("/access", "PUT", { mode: "everyone" });
      const first = await box.visit("/hello?a=1", { headers: PAGE });
      expect([first.status, first.text]).toEqual([200, expect.stringContaining("Go on to")]);
      expect(first.text).toContain(`${world().origin}/report?door=${box.label}"`);
      expect(await status("/hello", "", { accept: "*/*" })).toBe(200);
      const seen = await post("/.well-known/latchkey/seen", { to: "/hello?a=1" });
      expect([seen.status, seen.headers.location]).toEqual([303, "/hello?a=1"]);
      const cookie = `__Host-door-seen=${cookieOf(seen, "__Host-door-seen")}`;
      const through = await box.visit("/hello", { headers: { ...PAGE, cookie } });
      expect([through.json.method, through.headers["x-robots-tag"]]).toEqual(["GET", "noindex"]);
      await box.ask("/access", "PUT", { mode: "owner" });
    });

    it("is told to the device, as docs/door.md reads it, and never by a visitor", async () => {
      const forged = { "latchkey-user": "forged", "x-latchkey-identity": "forged" };
      const toldOf = async (cookie: string): Promise<Record<string, string>> =>
        (await box.visit("/hello", { headers: { cookie, ...forged } })).json.headers;
      const cookie = await enter(owner);
      expect((await toldOf(cookie))["latchkey-user"]).toBeUndefined();
      expect((await box.ask("/access/identity", "PUT", { mode: "id" })).status).toBe(200);
      await expect
        .poll(async () => (await toldOf(await enter(owner)))["latchkey-user"], { timeout: 10_000 })
        .toMatch(/^ey/);
      const headers = await toldOf(await enter(owner));
      const read = await snippetOf(world().origin, box.id);
      expect(await read({ headers })).toMatchObject({ owner: true, aud: box.id });
      const other = await snippetOf(world().origin, "dev_home_0000000000000000");
      await expect(other({ headers })).rejects.toThrow("aud");
      await expect(read({ headers: forged })).rejects.toThrow();
    });
  });
}

/** The device's side as docs/door.md has it, word by word, for this edge and device. */
async function snippetOf(origin: string, deviceId: string) {
  const text = await readFile(join(import.meta.dirname, "../../../docs/door.md"), "utf8");
  const code = /```js\n([\s\S]*?)```/.exec(text)?.[1];
  if (code === undefined) throw new Error("docs/door.md has no snippet");
  const jose = import.meta.resolve("jose");
  const here = code
    .replace('from "jose"', `from ${JSON.stringify(jose)}`)
    .replaceAll("https://latchkey.example", origin)
    .replace("dev_home_…", deviceId)
    .replace("const keys", "export async function read(request) {\nconst keys");
  const source = `${here}\nreturn payload;\n}`;
  const module = await import(
    /* @vite-ignore */ `data:text/javascript;base64,${Buffer.from(source).toString("base64")}`
  );
  return module.read as (request: { headers: object }) => Promise<object>;
}
