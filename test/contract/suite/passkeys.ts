/** Passkeys, as a program with an authenticator sees them. */

import { beforeAll, describe, expect, it } from "vitest";
import { Authenticator, UP } from "../../support/authenticator.ts";
import { ask, cookieOf } from "./http.ts";
import { newPerson, type Person } from "./person.ts";
import type { World } from "./world.ts";

export function passkeys(world: () => World): void {
  describe("passkeys", () => {
    let person: Person;
    let key: Authenticator;
    beforeAll(async () => {
      person = await newPerson(world());
      key = new Authenticator(world().origin);
    });

    const post = (path: string, body?: object, token?: string) =>
      ask(world(), path, {
        method: "POST",
        ...(body === undefined ? {} : { body }),
        ...(token === undefined ? {} : { token }),
      });
    const asked = async () => (await post("/api/sign-in/passkey/options")).json;

    it.each(["ES256", "EdDSA"] as const)("add one and sign in with it, %s", async (algorithm) => {
      const { token } = person;
      const options = (await post("/api/passkeys/options", undefined, token)).json;
      const made = await key.create(options, {}, algorithm);
      const added = await post("/api/passkeys", { response: made, name: algorithm }, token);
      expect([added.status, added.json.name]).toEqual([201, algorithm]);
      const response = await key.get(await asked());
      const signed = await post("/api/sign-in/passkey", { response });
      expect([signed.status, signed.json.account_id]).toEqual([201, person.accountId]);
      expect(cookieOf(signed, "__Host-sid")).toBe(signed.json.token);
      const own = await ask(world(), "/api/passkeys", { token: signed.json.token });
      expect(own.json.passkeys.at(-1)).toMatchObject({ id: added.json.id, name: algorithm });
    });

    it("refuse an answer twice, from elsewhere, and without a touch", async () => {
      const response = await key.get(await asked());
      expect((await post("/api/sign-in/passkey", { response })).status).toBe(201);
      const codes = [await post("/api/sign-in/passkey", { response })];
      for (const bend of [{ origin: "https://evil.test" }, { flags: 0 }, { rpId: "evil.test" }]) {
        const bent = await key.get(await asked(), bend);
        codes.push(await post("/api/sign-in/passkey", { response: bent }));
      }
      expect(codes.map(({ status, json }) => [status, json.code])).toEqual(
        codes.map(() => [401, "passkey-refused"]),
      );
    });

    it("open nothing once they are removed", async () => {
      const { token } = person;
      const list = (await ask(world(), "/api/passkeys", { token })).json.passkeys;
      const late = await key.get(await asked(), { flags: UP });
      for (const { id } of list) {
        const remove = { method: "DELETE", token };
        expect((await ask(world(), `/api/passkeys/${id}`, remove)).status).toBe(204);
        expect((await ask(world(), `/api/passkeys/${id}`, remove)).status).toBe(404);
      }
      expect((await post("/api/sign-in/passkey", { response: late })).status).toBe(401);
    });
  });
}
