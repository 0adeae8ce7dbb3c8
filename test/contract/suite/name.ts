/** The name of a device: updates by dyndns2, answers by DNS over HTTPS. */

import dnsPacket from "dns-packet";
import { beforeAll, describe, expect, it } from "vitest";
import { Box } from "./box.ts";
import { ask } from "./http.ts";
import { newPerson } from "./person.ts";
import { newLabel, type World } from "./world.ts";

const DNS_MESSAGE = "application/dns-message";

/** RFC 8484 §4.1: a query by GET or POST; the decoded answer. */
async function resolve(world: World, name: string, type: "A" | "AAAA" | "TXT", method = "POST") {
  const query = dnsPacket.encode({ type: "query", id: 0, questions: [{ type, name }] });
  const answer =
    method === "POST"
      ? await ask(world, "/dns-query", { body: query, headers: { "content-type": DNS_MESSAGE } })
      : await ask(world, `/dns-query?dns=${query.toString("base64url")}`);
  expect([answer.status, answer.headers["content-type"]]).toEqual([200, DNS_MESSAGE]);
  const { rcode, answers, authorities } = dnsPacket.decode(
    answer.body,
  ) as dnsPacket.DecodedPacket & {
    rcode: string;
  };
  return {
    rcode,
    data: (answers ?? []).map((record) => ("data" in record ? record.data : null)),
    authority: (authorities ?? []).map((record) => record.type),
  };
}

/** What `name` resolves to. */
export async function addressOf(world: World, name: string, type: "A" | "AAAA") {
  return (await resolve(world, name, type)).data;
}

export function names(world: () => World): void {
  describe("names", () => {
    let box: Box;
    let host: string;
    let secret: string;

    beforeAll(async () => {
      box = await Box.enroll(world(), await newPerson(world()), newLabel());
      host = `${box.label}.${world().ddnsZone}`;
    });

    /** @returns the verdict's line */
    async function update(query: string, password = secret): Promise<string> {
      const authorization = `Basic ${Buffer.from(`${host}:${password}`).toString("base64")}`;
      const answer = await ask(world(), `/nic/update?hostname=${host}&${query}`, {
        headers: { authorization, "user-agent": "contract/1.0 test@example.test" },
      });
      return answer.text.trim();
    }

    it("do not exist while the feature is off", async () => {
      expect(await resolve(world(), host, "A")).toMatchObject({ rcode: "NXDOMAIN", data: [] });
      expect((await box.ask("/name/tokens", "POST", {})).status).toBe(409);
    });

    it("resolve to what an update with the secret set", async () => {
      await box.switch("name", true);
      secret = await box.nameToken();
      expect(await update("myip=192.0.2.7,2001:db8::7")).toBe("good 192.0.2.7,2001:db8::7");
      expect(await update("myip=192.0.2.7,2001:db8::7")).toMatch(/^nochg /);
      expect((await resolve(world(), host, "A")).data).toEqual(["192.0.2.7"]);
      expect((await resolve(world(), host, "AAAA", "GET")).data).toEqual(["2001:db8::7"]);
      expect((await box.ask("")).json.name).toMatchObject({
        ipv4: "192.0.2.7",
        ipv6: "2001:db8::7",
      });
    });

    it("are not led astray by who says to come another way, or from elsewhere", async () => {
      const authorization = `Basic ${Buffer.from(`${host}:${secret}`).toString("base64")}`;
      expect(await update("myip=")).toBe("good 127.0.0.1");
      for (const way of ["door", "agent", "watch", "bulk", "update"]) {
        const forged = { "x-latchkey-way": way, "x-latchkey-peer": "192.0.2.66" };
        const answer = await ask(world(), `/nic/update?hostname=${host}`, {
          headers: { authorization, "user-agent": "contract/1.0", ...forged },
        });
        expect([way, answer.text]).toEqual([way, "nochg 127.0.0.1"]);
      }
      expect(await update("myip=192.0.2.7")).toBe("good 192.0.2.7");
    });

    it("[CON-6] change, and the one before answers nothing and is nobody else's", async () => {
      const zone = world().ddnsZone;
      const [to, more] = [newLabel(), newLabel()];
      const labels = (answer: { json: { names: { label: string }[] } }) =>
        answer.json.names.map(({ label }) => label);
      const changed = await box.ask(`/names/${box.label}`, "PATCH", { label: to });
      expect([changed.status, labels(changed)]).toEqual([200, [to]]);
      expect((await resolve(world(), `${to}.${zone}`, "A")).data).toEqual(["192.0.2.7"]);
      expect((await resolve(world(), host, "A")).rcode).toBe("NXDOMAIN");
      expect(await update("myip=192.0.2.8")).toBe("badauth");
      const stranger = await Box.enroll(world(), await newPerson(world()), newLabel());
      const taken = await stranger.ask("/names", "POST", { label: box.label });
      expect([taken.status, taken.json.code]).toEqual([409, "label-taken"]);
      expect(labels(await box.ask("/names", "POST", { label: more }))).toEqual([to, more]);
      expect((await resolve(world(), `${more}.${zone}`, "A")).data).toEqual(["192.0.2.7"]);
      const first = await box.ask(`/names/${more}`, "PATCH", { primary: true });
      expect(labels(first)).toEqual([more, to]);
      const given = await box.ask(`/names/${to}`, "DELETE");
      expect([given.status, labels(given)]).toEqual([200, [more]]);
      expect((await resolve(world(), `${to}.${zone}`, "A")).rcode).toBe("NXDOMAIN");
      expect((await box.ask(`/names/${more}`, "DELETE")).json.code).toBe("name-last");
      expect(labels(await box.ask(`/names/${more}`, "PATCH", { label: box.label }))).toEqual([
        box.label,
      ]);
      expect((await resolve(world(), host, "A")).data).toEqual(["192.0.2.7"]);
    });

    it("refuse a wrong secret and a host that is not there", async () => {
      expect(await update("myip=192.0.2.8", `${secret}x`)).toBe("badauth");
      const [{ id }] = (await box.ask("/name/tokens")).json.tokens;
      expect((await box.ask(`/name/tokens/${id}`, "DELETE")).status).toBe(204);
      expect(await update("myip=192.0.2.8")).toBe("badauth");
      expect((await box.ask(`/name/tokens/${id}`, "DELETE")).status).toBe(404);
      secret = await box.nameToken();
      expect((await resolve(world(), host, "A")).data).toEqual(["192.0.2.7"]);
    });

    it("show an authority what a certificate client puts there, and no more after it was taken away", async () => {
      const password = await box.nameToken({ scopes: ["acme"] });
      const authorization = `Basic ${Buffer.from(`${host}:${password}`).toString("base64")}`;
      const proof = `_acme-challenge.${host}`;
      const values = ["A", "B"].map((letter) => letter.repeat(43));
      const change = async (path: string, value = "") => {
        const body = { fqdn: `${proof}.`, value };
        return (await ask(world(), path, { body, headers: { authorization } })).status;
      };
      for (const value of values) expect(await change("/acme/present", value)).toBe(200);
      const shown = (await resolve(world(), proof, "TXT")).data as Buffer[][];
      expect(shown.map((texts) => texts.map(String).join("")).sort()).toEqual(values);
      for (const value of values) expect(await change("/acme/cleanup", value)).toBe(200);
      expect((await resolve(world(), proof, "TXT")).data).toEqual([]);
      // Nobody certifies for us here; and an update needs another password.
      expect((await box.ask("/certificate")).json).toMatchObject({ status: "none", caa: null });
      expect(await update("myip=192.0.2.9", password)).toBe("badauth");
    });

    it("tell NODATA from NXDOMAIN, both with the zone's SOA", async () => {
      const soa = ["SOA"];
      expect(await resolve(world(), host, "TXT")).toEqual({
        rcode: "NOERROR",
        data: [],
        authority: soa,
      });
      expect(await resolve(world(), `${newLabel()}.${world().ddnsZone}`, "A")).toEqual({
        rcode: "NXDOMAIN",
        data: [],
        authority: soa,
      });
    });

    it("answer bad messages with a clear refusal", async () => {
      const headers = { "content-type": DNS_MESSAGE };
      const short = await ask(world(), "/dns-query", { body: new Uint8Array(3), headers });
      expect(short.status).toBe(400);
      expect((await ask(world(), "/dns-query?dns=!")).status).toBe(400);
    });

    it("[FEA-4] are gone at once when the feature is switched off", async () => {
      await box.switch("name", false);
      expect(await resolve(world(), host, "A")).toMatchObject({ rcode: "NXDOMAIN", data: [] });
      expect(await update("myip=192.0.2.9")).toMatch(/^(nohost|badauth)$/);
      await box.switch("name", true);
      expect((await resolve(world(), host, "A")).data).toEqual([]);
      expect(await update("myip=192.0.2.9")).toBe("badauth");
    });

    it("take the address of the device's own socket", async () => {
      const socket = await box.connect();
      const address = (await box.ask("")).json.connection.address;
      const type = address.includes(":") ? "AAAA" : "A";
      expect((await resolve(world(), host, type)).data).toEqual([address]);
      socket.socket.close();
    });
  });
}
