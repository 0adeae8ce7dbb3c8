/** A front that holds the zone: fed by the edge, and answering while the edge is away. */

import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Front, startFront } from "../../../front/front.ts";
import { type Kind, type Looked, look } from "../../support/dns.ts";
import { Box } from "./box.ts";
import { ask } from "./http.ts";
import { newPerson, type Person } from "./person.ts";
import { newLabel, type World } from "./world.ts";

const TOKEN = "a front that holds the zone, for tests".replaceAll(" ", "-");
export const FRONT_TOKEN_HASHES = createHash("sha256").update(TOKEN).digest("hex");

const PATIENCE = { timeout: 30_000, interval: 20 };
/** How often the same is asked, each time from another port: of two threads that answer one is missed once in 128. */
const TIMES = 8;

export function fronts(world: () => World): void {
  describe("a front that holds the zone", () => {
    let person: Person;
    let front: Front;
    const news: string[] = [];

    const start = async () => {
      const started = await startFront({
        edge: world().origin,
        host: "127.0.0.1",
        port: 0,
        threads: 2,
        held: { zone: world().ddnsZone, token: TOKEN },
        onNews: (sentence) => news.push(sentence),
      });
      await started.ready;
      return started;
    };
    beforeAll(async () => {
      person = await newPerson(world());
      front = await start();
    });
    afterAll(() => front.close());

    interface Named {
      readonly box: Box;
      readonly host: string;
      /** @returns the verdict's line */
      update(query: string): Promise<string>;
    }

    async function named(): Promise<Named> {
      const box = await Box.enroll(world(), person, newLabel());
      await box.switch("name", true);
      const secret = await box.nameToken();
      const host = `${box.label}.${world().ddnsZone}`;
      const authorization = `Basic ${Buffer.from(`${host}:${secret}`).toString("base64")}`;
      const update = async (query: string) => {
        const headers = { authorization, "user-agent": "contract/1.0 test@example.test" };
        return (
          await ask(world(), `/nic/update?hostname=${host}&${query}`, { headers })
        ).text.trim();
      };
      return { box, host, update };
    }

    /** The person and `friend` agree to be contacts. */
    async function befriend(friend: Person): Promise<void> {
      const asked = { token: person.token, method: "POST", body: { account: friend.accountId } };
      expect((await ask(world(), "/api/contacts", asked)).status).toBeLessThan(300);
      const path = `/api/contacts/${person.accountId}/accept`;
      const accepted = await ask(world(), path, { token: friend.token, method: "POST" });
      expect(accepted.status).toBeLessThan(300);
    }

    /** What the front says, each different answer of its threads once. */
    async function looks(host: string, type?: Kind): Promise<Looked[]> {
      const looked = Array.from({ length: TIMES }, () => look(front.port, host, type));
      const said = (await Promise.all(looked)).map((one) => JSON.stringify(one));
      return [...new Set(said)].map((one) => JSON.parse(one));
    }

    /** Waits until the front says so. */
    const resolves = (host: string, answers: string[], rcode = "NOERROR") =>
      vi.waitFor(
        async () => expect(await looks(host)).toMatchObject([{ rcode, answers }]),
        PATIENCE,
      );

    it("hears of every change, and answers for itself", async () => {
      const { box, host, update } = await named();
      expect(await update("myip=192.0.2.7")).toBe("good 192.0.2.7");
      await resolves(host, [`${host} A 192.0.2.7`]);
      expect(await update("myip=192.0.2.8")).toBe("good 192.0.2.8");
      await resolves(host, [`${host} A 192.0.2.8`]);
      expect(await look(front.port, `x.${host}`)).toMatchObject({ rcode: "NXDOMAIN" });
      expect(await look(front.port, host, "TXT")).toMatchObject({ rcode: "NOERROR", answers: [] });
      expect(await look(front.port, `${newLabel()}.${world().ddnsZone}`)).toMatchObject({
        rcode: "NXDOMAIN",
        authorities: [expect.stringContaining(" SOA ")],
      });
      expect((await box.ask("", "DELETE")).status).toBe(204);
    });

    it("[CON-5] forgets a name at once when it is switched off, and when its device goes", async () => {
      const [off, gone] = [await named(), await named()];
      for (const { host, update } of [off, gone]) {
        await update("myip=192.0.2.9");
        await resolves(host, [`${host} A 192.0.2.9`]);
      }
      await off.box.switch("name", false);
      await resolves(off.host, [], "NXDOMAIN");
      await off.box.switch("name", true);
      await resolves(off.host, []);
      expect((await gone.box.ask("", "DELETE")).status).toBe(204);
      await resolves(gone.host, [], "NXDOMAIN");
      expect((await off.box.ask("", "DELETE")).status).toBe(204);
      await resolves(off.host, [], "NXDOMAIN");
    });

    it("[CON-6] forgets a name that was changed, given up or given away, and answers by the new one", async () => {
      const { box, host, update } = await named();
      await update("myip=192.0.2.15");
      await resolves(host, [`${host} A 192.0.2.15`]);
      const [to, more] = [newLabel(), newLabel()];
      const [there, other] = [to, more].map((label) => `${label}.${world().ddnsZone}`) as [
        string,
        string,
      ];
      expect((await box.ask(`/names/${box.label}`, "PATCH", { label: to })).status).toBe(200);
      await resolves(there, [`${there} A 192.0.2.15`]);
      await resolves(host, [], "NXDOMAIN");
      expect((await box.ask("/names", "POST", { label: more })).status).toBe(201);
      await resolves(other, [`${other} A 192.0.2.15`]);
      expect((await box.ask(`/names/${more}`, "DELETE")).status).toBe(200);
      await resolves(other, [], "NXDOMAIN");
      await resolves(there, [`${there} A 192.0.2.15`]);

      expect((await box.ask("/names", "POST", { label: more })).status).toBe(201);
      const friend = await newPerson(world());
      const theirs = await Box.enroll(world(), friend, newLabel());
      await theirs.switch("name", true);
      await befriend(friend);
      const { token } = friend;
      const offered = await box.ask(`/names/${more}/offer`, "POST", { to: friend.accountId });
      expect(offered.status).toBe(204);
      const [offer] = (await ask(world(), "/api/name-offers", { token })).json.offers;
      const taking = { token, method: "POST", body: { device: theirs.id } };
      const path = `/api/name-offers/${offer.id}/acceptance`;
      expect((await ask(world(), path, taking)).status).toBe(204);
      await resolves(other, []);
      await resolves(there, [`${there} A 192.0.2.15`]);
      expect((await theirs.ask("", "DELETE")).status).toBe(204);
      await resolves(other, [], "NXDOMAIN");
    });

    it("answers while the edge is away, and knows afterwards what it missed", async () => {
      const [kept, other] = [await named(), await named()];
      await kept.update("myip=192.0.2.10");
      await other.update("myip=192.0.2.11");
      for (const { host } of [kept, other]) {
        await vi.waitFor(async () => {
          expect(await looks(host)).toMatchObject([{ answers: { length: 1 } }]);
        }, PATIENCE);
      }
      const zone = world().ddnsZone;
      await world().restart("SIGKILL", async () => {
        const address = `${kept.host} A 192.0.2.10`;
        expect(await looks(kept.host)).toMatchObject([{ answers: [address] }]);
        expect(await looks(`${newLabel()}.${zone}`)).toMatchObject([{ rcode: "NXDOMAIN" }]);
        expect(await looks(zone, "SOA")).toMatchObject([{ answers: { length: 1 } }]);
        expect(await looks(zone, "NS")).toMatchObject([{ answers: { length: 1 } }]);
      });
      expect(await kept.update("myip=192.0.2.12")).toBe("good 192.0.2.12");
      await other.box.switch("name", false);
      await resolves(kept.host, [`${kept.host} A 192.0.2.12`]);
      await resolves(other.host, [], "NXDOMAIN");
    });

    it("loses no change that was acknowledged when the edge is killed right after", async () => {
      const { host, update } = await named();
      for (const last of [20, 21, 22]) {
        expect(await update(`myip=192.0.2.${last}`)).toBe(`good 192.0.2.${last}`);
        await world().restart("SIGKILL");
        await resolves(host, [`${host} A 192.0.2.${last}`]);
      }
    });

    it("reads everything anew when it was killed itself", async () => {
      const { box, host, update } = await named();
      await update("myip=192.0.2.30");
      const [stays, goes] = [host, `${(await named()).box.label}.${world().ddnsZone}`];
      await resolves(goes, []);
      await front.close();
      await update("myip=192.0.2.31");
      front = await start();
      expect(await looks(stays)).toMatchObject([{ answers: [`${stays} A 192.0.2.31`] }]);
      expect(await looks(goes)).toMatchObject([{ rcode: "NOERROR", answers: [] }]);
      expect((await box.ask("", "DELETE")).status).toBe(204);
      await resolves(stays, [], "NXDOMAIN");
    });

    it("is told nothing without a token that the edge knows", async () => {
      const said = Promise.withResolvers<string>();
      const stranger = await startFront({
        edge: world().origin,
        host: "127.0.0.1",
        port: 0,
        held: { zone: world().ddnsZone, token: TOKEN.replace("a", "b") },
        onNews: said.resolve,
      });
      expect(await said.promise).toContain("does not know this token");
      expect(stranger.names()).toBe(0);
      await stranger.close();
    });
  });
}
