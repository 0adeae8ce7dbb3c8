/** A mail as it goes over the wire, read back by a parser that is not ours. */

import fc from "fast-check";
import PostalMime from "postal-mime";
import { describe, expect, it } from "vitest";
import { addressOf, plainMessage } from "../../workers/egress/message.ts";

const mail = {
  from: "Latchkey <keys@latchkey.example>",
  to: "ada@example.org",
  subject: "Confirm your address for Latchkey",
  text: "Hello,\n\nopen this.\n",
  at: Date.UTC(2026, 10, 22, 7, 30, 5),
  id: "abc123",
};
const read = (message: string) => PostalMime.parse(message);

describe("a plain mail", () => {
  it("reads as it was written", async () => {
    const parsed = await read(plainMessage(mail));
    expect(parsed.from).toMatchObject({ address: "keys@latchkey.example", name: "Latchkey" });
    expect(parsed.to).toMatchObject([{ address: mail.to }]);
    expect(parsed.subject).toBe(mail.subject);
    expect(parsed.text?.replace(/\r\n/g, "\n")).toBe(mail.text);
    expect(parsed.date).toBe("2026-11-22T07:30:05.000Z");
    expect(parsed.messageId).toBe("<abc123@latchkey.example>");
  });

  it("keeps every subject and text, in lines that every relay takes", async () => {
    const words = fc
      .string({ unit: "grapheme", maxLength: 300 })
      .map((text) => text.replace(/\p{Cc}/gu, "").trim());
    const property = fc.asyncProperty(words, words, async (subject, text) => {
      const message = plainMessage({ ...mail, subject, text });
      for (const line of message.split("\r\n")) expect(line.length).toBeLessThan(78);
      expect(message).toMatch(/^[\x20-\x7e\r\n\t]*$/);
      const parsed = await read(message);
      expect((parsed.subject ?? "").replace(/\s+/g, "")).toBe(subject.replace(/\s+/g, ""));
      expect((parsed.text ?? "").trimEnd()).toBe(text.trimEnd());
    });
    await fc.assert(property, { numRuns: 300 });
  });

  it.each(["subject", "to", "from"] as const)("lets no %s begin a header of its own", (field) => {
    const value = `${mail[field]}\r\nBcc: spy@example.org\r\n\r\nbody`;
    const message = plainMessage({ ...mail, [field]: value });
    const head = message.slice(0, message.indexOf("\r\n\r\n"));
    expect(head).not.toMatch(/^Bcc:/im);
    expect(head.split("\r\n").filter((line) => /^[A-Z]/.test(line))).toHaveLength(8);
  });

  it.each([
    ["Latchkey <keys@a.example>", "keys@a.example"],
    ["keys@a.example", "keys@a.example"],
    ['"A <b>" <keys@a.example>', "keys@a.example"],
  ])("finds the envelope's address in %s", (mailbox, address) => {
    expect(addressOf(mailbox)).toBe(address);
  });
});
