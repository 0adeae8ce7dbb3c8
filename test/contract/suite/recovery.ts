/** Getting back in, and a phone as the way in, as a program sees them; what works once has one winner. */

import { randomInt } from "node:crypto";
import { describe, expect, it } from "vitest";
import { newMarker } from "../../support/canary.ts";
import { passTheWait } from "./armed.ts";
import { type Answer, ask } from "./http.ts";
import { codeIn, Life } from "./life.ts";
import { newPerson, type Person } from "./person.ts";
import type { World } from "./world.ts";

const newPhone = () => `+43660${randomInt(10_000_000, 99_999_999)}`;
const newPassword = () => `${newMarker()} Bb2`;

/** Asks the same several times at once. */
async function atOnce(work: () => Promise<Answer>, times = 6): Promise<Answer[]> {
  return await Promise.all(Array.from({ length: times }, work));
}

const winners = (answers: readonly Answer[]) => answers.filter(({ status }) => status < 300);

export function recovery(world: () => World): void {
  const say = (path: string, body: object) => ask(world(), path, { body });
  const signIn = (person: Pick<Person, "address" | "password">) =>
    say("/api/sessions", { address: person.address, password: person.password });

  describe("getting back in", () => {
    it("a forgotten password is chosen anew by the link in the mail, by one of many at once", async () => {
      const person = await newPerson(world());
      const life = new Life(world(), person);
      await say("/api/password/forgot", { address: person.address });
      const token = await life.mailed(person.address, "/forgot/new");
      const password = newPassword();
      const won = winners(await atOnce(() => say("/api/password/reset", { token, password }), 4));
      expect(won.map(({ status }) => status)).toEqual([201]);
      const own = await ask(world(), "/api/account", { token: won[0]?.json.token });
      expect(own.json.id).toBe(person.accountId);
      expect((await ask(world(), "/api/account", { token: person.token })).status).toBe(401);
      expect((await signIn(person)).status).toBe(401);
      expect((await signIn({ ...person, password })).status).toBe(201);
    });

    it("a changed address is taken back by the one before, by one of many at once", async () => {
      const person = await newPerson(world());
      const life = new Life(world(), person);
      const address = `${newMarker()}@example.test`;
      await life.address(address);
      const { addresses } = await life.json("/api/account/addresses");
      const { id } = addresses.find((one: { address: string }) => one.address === address);
      await life.must(`/api/account/addresses/${id}/primary`, { ...life.own, method: "PUT" });
      const undo = await life.mailed(person.address, "/undo");
      const won = winners(await atOnce(() => say("/api/undo", { token: undo }), 4));
      expect(won).toHaveLength(1);
      expect((await ask(world(), "/api/account", { token: person.token })).status).toBe(401);
      const token = won[0]?.json.password_token;
      const password = newPassword();
      expect((await say("/api/password/reset", { token, password })).status).toBe(201);
      expect((await signIn({ address, password })).status).toBe(401);
      expect((await signIn({ ...person, password })).status).toBe(201);
    });

    it("a recovery code, and a sign-in under way, let in one of many at once", async () => {
      const person = await newPerson(world());
      const life = new Life(world(), person);
      const { recoveryCodes } = await life.totp();
      const path = "/api/sign-in/second-step";
      const kind = "recovery-code";
      const steps = [await life.beginSignIn(), await life.beginSignIn(), await life.beginSignIn()];
      const [code = "", ...others] = recoveryCodes;
      const withOne = steps.map(({ step }) => say(path, { token: step, kind, code }));
      expect(winners(await Promise.all(withOne))).toHaveLength(1);
      const { step: token } = await life.beginSignIn();
      const each = others
        .slice(0, 4)
        .map((one) => say(path, { token, kind, code: one, trust: true }));
      expect(winners(await Promise.all(each))).toHaveLength(1);
      const trusted = await life.json("/api/account/trusted-browsers");
      expect(trusted.trusted_browsers).toHaveLength(1);
    });

    it("a lost second step: a wait that the owner is told of, and can stop", async () => {
      const person = await newPerson(world());
      const life = new Life(world(), person);
      await life.totp();
      const { step } = await life.beginSignIn();
      const asked = await say("/api/recovery", { step_token: step });
      expect([asked.status, asked.json.status]).toEqual([202, "waiting"]);
      const stop = await life.mailed(person.address, "/recovery/stop");
      const early = { step_token: step, token: stop };
      expect((await say("/api/recovery/finish", early)).status).toBe(410);
      expect((await say("/api/recovery/stop", { token: stop })).status).toBe(204);
      expect((await life.json("/api/account/recovery")).recovery).toBeNull();
    });
  });

  describe("a phone", () => {
    it("[ACC-1] opens an account by a code, signs in, and gets the password back", async () => {
      const [phone, password] = [newPhone(), newPassword()];
      const sent = (await say("/api/sign-up", { address: phone, password })).json;
      const code = codeIn(await world().mailbox.next(phone));
      const verify = () => say("/api/sign-up/verify", { token: sent.token, code });
      const won = winners(await atOnce(verify, 4));
      expect(won.map(({ status }) => status)).toEqual([201]);
      expect((await signIn({ address: phone, password })).status).toBe(201);
      const forgot = (await say("/api/password/forgot", { address: phone })).json;
      const next = newPassword();
      const typed = codeIn(await world().mailbox.next(phone));
      const reset = { token: forgot.token, code: typed, password: next };
      expect((await say("/api/password/reset", reset)).status).toBe(201);
      expect((await signIn({ address: phone, password })).status).toBe(401);
      expect((await signIn({ address: phone, password: next })).status).toBe(201);
    });
  });
}

/** The days of a lost second step, which pass while the edge is down. Runs late: it restarts. */
export function longWaits(world: () => World): void {
  it("a lost second step is switched off by the first and a mailed link, by one of many", async () => {
    const person = await newPerson(world());
    const life = new Life(world(), person);
    await life.totp();
    const { step } = await life.beginSignIn();
    await life.must("/api/recovery", { body: { step_token: step } });
    await passTheWait(world(), [person.accountId]);
    const sent = await life.must("/api/recovery", { body: { step_token: step } });
    expect(sent.json.status).toBe("sent");
    const token = await life.mailed(person.address, "/recovery/finish");
    const body = { step_token: step, token };
    const won = winners(await atOnce(() => ask(world(), "/api/recovery/finish", { body }), 4));
    expect(won.map(({ status }) => status)).toEqual([201]);
    const signIn = { address: person.address, password: person.password };
    expect((await ask(world(), "/api/sessions", { body: signIn })).status).toBe(201);
  });
}
