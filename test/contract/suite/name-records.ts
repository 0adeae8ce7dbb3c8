/** What an owner puts into DNS below a device's name, by the API, and what DNS answers then. */

import dnsPacket from "dns-packet";
import { beforeAll, describe, expect, it } from "vitest";
import { Box } from "./box.ts";
import { ask } from "./http.ts";
import { addressOf } from "./name.ts";
import { newPerson } from "./person.ts";
import { newLabel, type World } from "./world.ts";

/** The rcode, and each record as text. */
async function resolve(world: World, name: string, type: "TXT" | "CAA" | "A") {
  const body = dnsPacket.encode({ type: "query", id: 0, questions: [{ type, name }] });
  const headers = { "content-type": "application/dns-message" };
  const { rcode, answers } = dnsPacket.decode(
    (await ask(world, "/dns-query", { body, headers })).body,
  ) as dnsPacket.DecodedPacket & { rcode: string };
  const said = (answers ?? []).map((record) => ("data" in record ? String(record.data) : ""));
  return { rcode, said };
}

export function nameRecords(world: () => World): void {
  describe("records below a name", () => {
    let box: Box;
    let host: string;

    beforeAll(async () => {
      box = await Box.enroll(world(), await newPerson(world()), newLabel());
      host = `${box.label}.${world().ddnsZone}`;
    });

    const put = (what: string, body: object) => box.ask(`/name/${what}`, "PUT", body);

    it("are nobody's while the name is off", async () => {
      expect((await box.ask("/name/records")).status).toBe(409);
      expect((await put("wildcard", { on: true })).status).toBe(409);
    });

    it("answer everywhere below once the wildcard is on, and follow the address", async () => {
      await box.switch("name", true);
      const secret = await box.nameToken();
      const update = async (addresses: string) => {
        const authorization = `Basic ${Buffer.from(`${host}:${secret}`).toString("base64")}`;
        const query = `hostname=${host}&myip=${addresses}`;
        const headers = { authorization, "user-agent": "contract/1.0 test@example.test" };
        return (await ask(world(), `/nic/update?${query}`, { headers })).text.trim();
      };
      await update("192.0.2.7,2001:db8:1:2::7");
      expect(await resolve(world(), `www.${host}`, "A")).toEqual({ rcode: "NXDOMAIN", said: [] });
      expect((await put("wildcard", { on: true })).status).toBe(204);
      expect(await addressOf(world(), `www.${host}`, "A")).toEqual(["192.0.2.7"]);
      expect(await addressOf(world(), `deep.below.${host}`, "AAAA")).toEqual(["2001:db8:1:2::7"]);
      await update("192.0.2.8");
      expect(await addressOf(world(), `www.${host}`, "A")).toEqual(["192.0.2.8"]);
      expect((await put("wildcard", { on: false })).status).toBe(204);
      expect((await resolve(world(), `www.${host}`, "A")).rcode).toBe("NXDOMAIN");
    });

    it("are put, replaced and taken away, kind by kind", async () => {
      const spf = { owner: "", type: "TXT", values: ["v=spf1 -all"] };
      expect((await put("records", spf)).status).toBe(204);
      expect((await resolve(world(), host, "TXT")).said).toEqual(["v=spf1 -all"]);
      const dmarc = { owner: "_dmarc", type: "TXT", values: ["v=DMARC1; p=reject"] };
      expect((await put("records", dmarc)).status).toBe(204);
      const caa = { owner: "@", type: "CAA", values: ['0 issue "ca.example"', '0 issuewild ";"'] };
      expect((await put("records", caa)).status).toBe(204);
      expect((await resolve(world(), host, "CAA")).said).toHaveLength(2);
      expect((await box.ask("/name/records")).json).toMatchObject({
        wildcard: false,
        records: [
          { owner: "", type: "TXT", values: ['"v=spf1 -all"'] },
          { owner: "_dmarc", type: "TXT", values: ['"v=DMARC1; p=reject"'] },
          { owner: "", type: "CAA", values: ['0 issue "ca.example"', '0 issuewild ";"'] },
        ],
        answered: expect.arrayContaining([{ owner: "", type: "A", values: ["192.0.2.8"] }]),
      });
      expect((await put("records", { ...spf, values: [] })).status).toBe(204);
      expect(await resolve(world(), host, "TXT")).toEqual({ rcode: "NOERROR", said: [] });
    });

    it("name other machines of the home, whose addresses begin as the device's does", async () => {
      const tv = { owner: "TV", interface: "fe80::211:32ff:fe12:3456" };
      expect((await put("neighbors", tv)).status).toBe(204);
      expect(await addressOf(world(), `tv.${host}`, "AAAA")).toEqual([
        "2001:db8:1:2:211:32ff:fe12:3456",
      ]);
      expect((await box.ask("/name/records")).json.neighbors).toEqual([
        { owner: "tv", interface: "::211:32ff:fe12:3456" },
      ]);
      expect((await put("neighbors", { ...tv, interface: null })).status).toBe(204);
      expect(await addressOf(world(), `tv.${host}`, "AAAA")).toEqual([]);
    });

    it.each([
      ["records", { owner: "_acme-challenge", type: "TXT", values: ["x"] }, "record-owner"],
      ["records", { owner: "*", type: "TXT", values: ["x"] }, "record-owner"],
      ["records", { owner: "_x", type: "CAA", values: [] }, "record-owner"],
      ["records", { owner: "", type: "CAA", values: ["nonsense"] }, "record-caa"],
      [
        "records",
        { owner: "", type: "HTTPS", values: ["1 . ipv4hint=192.0.2.1"] },
        "record-service",
      ],
      ["records", { owner: "", type: "TXT", values: ['"open'] }, "record-text"],
      ["records", { owner: "", type: "TXT", values: ["a", "a"] }, "record-set"],
      ["neighbors", { owner: "a.b", interface: "::1" }, "record-owner"],
      ["neighbors", { owner: "tv", interface: "192.0.2.1" }, "interface-unfit"],
      ["neighbors", { owner: "tv", interface: "2001:db8::" }, "interface-unfit"],
      ["wildcard", { on: "yes" }, "bad-request"],
      ["records", { owner: "", type: "MX", values: ["10 mail"] }, "bad-request"],
      ["records", { owner: "", type: "TXT", values: ["a"], ttl: 1 }, "unknown-field"],
    ])("%s %j is refused: %s", async (what, body, code) => {
      const answer = await put(what, body);
      expect([answer.status >= 400 && answer.status < 500, answer.json.code]).toEqual([true, code]);
    });

    it("are somebody else's to neither read nor change", async () => {
      const other = await newPerson(world());
      const as = async (method: string, path: string, body?: object) =>
        (
          await ask(world(), `${box.path}/name/${path}`, {
            token: other.token,
            method,
            ...(body && { body }),
          })
        ).status;
      expect([
        await as("GET", "records"),
        await as("PUT", "wildcard", { on: true }),
        await as("PUT", "records", { owner: "", type: "TXT", values: ["x"] }),
        await as("PUT", "neighbors", { owner: "tv", interface: "::1" }),
      ]).toEqual([404, 404, 404, 404]);
    });

    it("have a key that signs updates, which is shown once, and leave a trace of each change", async () => {
      expect((await box.ask("/signing-key")).status).toBe(404);
      expect((await box.ask("/signing-key", "POST")).json).toMatchObject({ name: host });
      expect((await box.ask("/signing-key")).json).toEqual({ used_day: null });
      expect((await box.ask("/signing-key", "DELETE")).status).toBe(204);
      expect((await box.ask("/signing-key")).status).toBe(404);
      const { json } = await ask(world(), "/api/account/activity", { token: box.owner.token });
      const events = json.events.map(({ event }: { event: string }) => event);
      expect(events).toEqual(
        expect.arrayContaining(["signing-key-made", "signing-key-ended", "name-records-changed"]),
      );
    });

    it("[CON-5] go with the name and do not come back with it", async () => {
      await put("wildcard", { on: true });
      await box.switch("name", false);
      expect((await resolve(world(), `_dmarc.${host}`, "TXT")).rcode).toBe("NXDOMAIN");
      await box.switch("name", true);
      expect((await box.ask("/name/records")).json).toMatchObject({ wildcard: false, records: [] });
    });
  });
}
