/** The gates that everything leaving the house passes: to recipients, and into the log. */

import { describe, expect, it } from "vitest";
import { egressMap } from "../../db/data-map/outside.ts";
import { EgressRefused, egressGate } from "../../workers/egress/egress.ts";
import { logGate } from "../../workers/egress/log.ts";
import type { Egress } from "../../workers/ports.ts";

const letter = { from: "a@b.example", to: "c@d.example", subject: "Hello", text: "Hello" };

describe("[SHR-1] the egress gate", () => {
  const left: unknown[] = [];
  const gate = egressGate({
    mail: async (fields) => void left.push(fields),
    sms: async (fields) => void left.push(fields),
    "breached passwords": async ({ prefix }) => `${prefix}: none`,
    "identity provider": async () => ({ status: 200, contentType: "", body: "" }),
    "certificate authority": async () => {
      throw new Error("not asked here");
    },
    "asker's own port": async () => ({ outcome: "closed", text: "" }),
    "dns resolver": async () => null,
    "cloudflare dns": async () => ({ status: 200, body: "{}" }),
  });
  /** As code would call it that the compiler did not see. */
  const send = gate.send as unknown as (recipient: string, fields: object) => Promise<void>;

  it("lets a declared recipient have the declared fields", async () => {
    await gate.send("mail", letter);
    expect(left.splice(0)).toEqual([letter]);
    expect(Object.keys(letter).sort()).toEqual([...egressMap.mail.fields].sort());
  });

  it("brings back what the recipient answers", async () => {
    expect(await gate.send("breached passwords", { prefix: "21BD1" })).toBe("21BD1: none");
  });

  it.each([
    ["an undeclared recipient", "analytics", {}],
    ["a recipient that every object has", "constructor", {}],
    ["an undeclared field", "mail", { ...letter, bcc: "spy@example.org" }],
    ["a field that is no text", "mail", { ...letter, text: { path: "/etc/passwd" } }],
  ])("sends nothing to or with %s", async (_, recipient, fields) => {
    await expect(send(recipient, fields)).rejects.toBeInstanceOf(EgressRefused);
    expect(left).toEqual([]);
  });

  it("says nothing of what was to leave", async () => {
    const refusal = await send("mail", { ...letter, "spy@example.org": "x" }).catch(String);
    expect(refusal).not.toContain("example.org");
  });

  it("does not compile with an undeclared recipient or field", () => {
    const never = (egress: Egress) => [
      // @ts-expect-error an undeclared recipient
      egress.send("analytics", {}),
      // @ts-expect-error an undeclared field
      egress.send("mail", { ...letter, bcc: "spy@example.org" }),
    ];
    expect(never).toBeTypeOf("function");
  });
});

describe("[ANO-5] the log gate", () => {
  const lines: string[] = [];
  const log = logGate((line) => void lines.push(line)) as (line: object) => void;
  const logged = (line: object) => {
    log(line);
    return JSON.parse(lines.splice(0)[0] ?? "null");
  };

  it("writes what is declared", () => {
    const line = { event: "sweep-failed", lane: "session", code: "TypeError", count: 3, ms: 0.5 };
    expect(logged(line)).toEqual(line);
    const request = { event: "request", route: "GET /api/devices/:id", status: 200 };
    expect(logged(request)).toEqual(request);
    expect(logged({ route: "PUT /api/devices/{id}/features/{feature}" })).not.toHaveProperty(
      "refused",
    );
  });

  it.each([
    ["an undeclared field", { path: "/x" }],
    ["an address in a word", { event: "ada@example.org" }],
    ["an identifier in a word", { code: "acc_home_0123456789abcdef" }],
    ["a token in a word", { code: "lk_ses_home_0123456789" }],
    ["a sentence in a word", { event: "user ada signed in" }],
    ["a path for a route", { route: "GET /files/tax-2025.pdf" }],
    ["a query in a route", { route: "GET /verify?token=secret" }],
    ["a text for a number", { count: "12" }],
    ["a number that is none", { ms: Number.NaN }],
    ["an object", { event: { text: "secret" } }],
  ])("drops %s, and says that it did", (_, line) => {
    expect(logged({ ...line, status: 1 })).toEqual({ status: 1, refused: 1 });
  });
});
