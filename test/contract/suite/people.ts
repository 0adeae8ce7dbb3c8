/** Photos and contacts, as a program sees them. */

import { describe, expect, it } from "vitest";
import { leaks, withMetadata } from "../../support/pictures.ts";
import { ask } from "./http.ts";
import { Life } from "./life.ts";
import { newPerson, type Person } from "./person.ts";
import type { World } from "./world.ts";

export function people(world: () => World): void {
  const relation = async (of: Person, to: Person) => {
    const { people } = (await ask(world(), "/api/contacts", { token: of.token })).json;
    const found = people.find((one: { account: string }) => one.account === to.accountId);
    return found?.relation ?? "none";
  };
  const act = async (by: Person, method: string, path: string, body?: object) =>
    (await ask(world(), path, { method, token: by.token, ...(body && { body }) })).status;

  describe("people", () => {
    it("[ACC-6] become contacts when both agree, and are none when one says so", async () => {
      const [ada, bob] = [await newPerson(world()), await newPerson(world())];
      expect(await act(ada, "POST", "/api/contacts", { account: bob.accountId })).toBeLessThan(300);
      expect([await relation(ada, bob), await relation(bob, ada)]).toEqual(["asked", "asking"]);
      expect(await act(bob, "POST", `/api/contacts/${ada.accountId}/accept`)).toBeLessThan(300);
      expect([await relation(ada, bob), await relation(bob, ada)]).toEqual(["contact", "contact"]);
      expect(await act(bob, "PUT", `/api/contacts/${ada.accountId}/block`)).toBeLessThan(300);
      expect(await relation(bob, ada)).toBe("blocked");
      expect(await act(ada, "POST", "/api/contacts", { account: bob.accountId })).toBeLessThan(300);
      expect(await relation(bob, ada)).toBe("blocked");
    });

    it("show a photo without its metadata to whom its owner lets see it, until it is cleared", async () => {
      const [ada, bob] = [await newPerson(world()), await newPerson(world())];
      const own = { token: ada.token };
      const put = { ...own, method: "PUT", body: withMetadata("jpeg") };
      expect((await ask(world(), "/api/account/photo", put)).status).toBe(204);
      const photo = (token?: string) =>
        ask(world(), `/api/people/${ada.accountId}/photo`, token === undefined ? {} : { token });
      const shown = async (visibility: string) => {
        const to = { ...own, method: "PUT", body: { visibility } };
        expect((await ask(world(), "/api/account/profile/photo", to)).status).toBe(204);
        return [(await photo()).status, (await photo(bob.token)).status];
      };
      expect(await shown("nobody")).toEqual([404, 404]);
      expect(await shown("contacts")).toEqual([404, 404]);
      await new Life(world(), ada).befriend(bob);
      expect(await shown("contacts")).toEqual([404, 200]);
      expect(await shown("everyone")).toEqual([200, 200]);
      const { body, headers } = await photo();
      expect([headers["content-type"], leaks(body)]).toEqual(["image/jpeg", false]);
      const clear = { ...own, method: "DELETE" };
      expect((await ask(world(), "/api/account/profile/photo", clear)).status).toBe(204);
      expect((await photo(bob.token)).status).toBe(404);
    });
  });
}
