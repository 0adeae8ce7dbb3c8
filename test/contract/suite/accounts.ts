/** Accounts and sessions, as a program sees them. */

import { describe, expect, it } from "vitest";
import { newMarker } from "../../support/canary.ts";
import { ask, cookieOf } from "./http.ts";
import { newPerson, signInAgain, tokenInMail } from "./person.ts";
import type { World } from "./world.ts";

export function accounts(world: () => World): void {
  describe("accounts", () => {
    it("[ACC-1] opens an account by the link in the mail, once", async () => {
      const address = `${newMarker()}@example.test`;
      const body = { address, password: "correct horse battery" };
      expect((await ask(world(), "/api/sign-up", { body })).status).toBe(202);
      expect((await ask(world(), "/api/sessions", { body })).status).toBe(401);
      const token = await tokenInMail(world(), address);
      const verify = { body: { token, password: body.password } };
      const opened = await ask(world(), "/api/sign-up/verify", verify);
      expect(opened.status).toBe(201);
      expect(cookieOf(opened, "__Host-sid")).toBe(opened.json.token);
      expect((await ask(world(), "/api/sign-up/verify", verify)).status).toBe(410);
      const own = await ask(world(), "/api/account", { token: opened.json.token });
      expect(own.json).toMatchObject({ id: opened.json.account_id, address, region: "home" });
    });

    it("answers a known address as an unknown one, and says so in the mail only", async () => {
      const { address } = await newPerson(world());
      const again = await ask(world(), "/api/sign-up", {
        body: { address, password: "another good password" },
      });
      expect([again.status, again.json]).toEqual([202, { mail: "sent" }]);
      expect((await world().mailbox.next(address)).text).not.toContain("token=");
    });

    it("signs in with the right password only", async () => {
      const person = await newPerson(world());
      const wrong = { address: person.address, password: `${person.password}x` };
      expect((await ask(world(), "/api/sessions", { body: wrong })).json.code).toBe(
        "bad-credentials",
      );
      const token = await signInAgain(world(), person);
      expect((await ask(world(), "/api/account", { token })).json.id).toBe(person.accountId);
    });

    it("lists sessions, ends one of them, and signs out", async () => {
      const person = await newPerson(world());
      const other = await signInAgain(world(), person);
      const list = (await ask(world(), "/api/sessions", { token: person.token })).json.sessions;
      expect(list).toHaveLength(2);
      const elsewhere = list.find((session: { current: boolean }) => !session.current);
      const path = `/api/sessions/${elsewhere.id}`;
      const end = { method: "DELETE", token: person.token };
      expect((await ask(world(), path, end)).status).toBe(204);
      expect((await ask(world(), path, end)).status).toBe(404);
      expect((await ask(world(), "/api/account", { token: other })).status).toBe(401);
      expect((await ask(world(), "/api/sessions/current", end)).status).toBe(204);
      expect((await ask(world(), "/api/account", { token: person.token })).status).toBe(401);
    });

    it("ends no session of another person", async () => {
      const [one, two] = [await newPerson(world()), await newPerson(world())];
      const list = (await ask(world(), "/api/sessions", { token: two.token })).json.sessions;
      const answer = await ask(world(), `/api/sessions/${list[0].id}`, {
        method: "DELETE",
        token: one.token,
      });
      expect(answer.status).toBe(404);
      expect((await ask(world(), "/api/account", { token: two.token })).status).toBe(200);
    });

    it("refuses a change that a page of another site asked for", async () => {
      const { token } = await newPerson(world());
      const cookie = `__Host-sid=${token}`;
      const answer = await ask(world(), "/api/sessions/current", {
        method: "DELETE",
        headers: { cookie, "sec-fetch-site": "cross-site", origin: "https://evil.example" },
      });
      expect(answer.json.code).toBe("cross-site");
      expect((await ask(world(), "/api/account", { headers: { cookie } })).status).toBe(200);
    });

    it.each([
      ["no JSON", "{", 400],
      ["an unknown field", { address: "a@example.test", password: "x".repeat(12), admin: 1 }, 400],
      ["no address", { address: "nobody", password: "correct horse battery" }, 422],
      ["a weak password", { address: "a@example.test", password: "short" }, 422],
    ])("refuses a sign-up with %s clearly", async (_case, body, status) => {
      const answer = await ask(world(), "/api/sign-up", {
        body,
        headers: { "content-type": "application/json" },
      });
      expect([answer.status, answer.headers["content-type"]]).toEqual([
        status,
        "application/problem+json",
      ]);
    });
  });
}
