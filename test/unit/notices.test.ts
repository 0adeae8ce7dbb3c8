/** Security notices: where they go, and that they carry nothing but what they are about. */

import { describe, expect, it } from "vitest";
import {
  type NoticeKind,
  noticeChannel,
  noticeMail,
  notices,
  noticeText,
} from "../../workers/account/notices.ts";
import type { Contact } from "../../workers/sign-in/rules.ts";
import { codeWords } from "../../workers/sign-in/sent-code.ts";

const mail = (name: string): Contact => ({ kind: "email", text: `${name}@example.org` });
const phone = (end: string): Contact => ({ kind: "phone", text: `+49151123456${end}` });
const kinds = Object.keys(notices) as NoticeKind[];
const ORIGIN = "https://keys.example";
const told = {
  at: 1_800_000_000_000,
  about: "https://evil.example\nBuy now",
  client: {
    userAgent: "Mozilla/5.0 (X11; Linux) Firefox/128.0",
    peer: "198.51.100.77",
    place: "DE",
  },
};

describe("a notice", () => {
  it.each<[string, Contact[], Contact[]]>([
    ["nothing", [], []],
    ["a mail address", [mail("a")], [mail("a")]],
    ["a phone only", [phone("01")], [phone("01")]],
    ["two phones, the first primary", [phone("02"), phone("01")], [phone("02")]],
    ["a primary mail address and a phone", [mail("a"), phone("01")], [mail("a")]],
    ["a primary phone and a mail address", [phone("01"), mail("a")], [mail("a")]],
    ["two mail addresses, the second added later", [mail("b"), mail("a")], [mail("b")]],
  ])("[NOT-4] goes by mail where there is one, to a person with %s", (_, contacts, expected) => {
    expect(noticeChannel(contacts)).toEqual(expected);
  });

  it("[NOT-1] is of a closed list", () => {
    expect(kinds).toMatchInlineSnapshot(`
      [
        "new-sign-in",
        "password-changed",
        "second-step-on",
        "second-step-off",
        "second-step-guessed",
        "recovery-codes-made",
        "recovery-code-used",
        "passkey-added",
        "passkey-removed",
        "linked",
        "unlinked",
        "address-added",
        "address-removed",
        "address-changed",
        "recovery-asked",
        "recovery-stopped",
        "recovered",
        "token-made",
        "app-allowed",
        "device-added",
        "domain-lost",
        "name-token-idle",
      ]
    `);
  });

  it.each(kinds)("[NOT-2] %s has no link but to our own page, and no word of selling", (kind) => {
    const { about: _, ...plain } = told;
    for (const details of [told, plain]) {
      const { subject, text } = noticeMail(ORIGIN, kind, details);
      const links = text.replaceAll(told.about.split("\n")[0] ?? "", "").match(/https?:\S+/g);
      expect(links).toEqual([`${ORIGIN}${notices[kind].page}`]);
      expect(`${subject}\n${text}`).not.toMatch(/\b(offer|buy|price|newsletter|upgrade)\b/);
      expect(text).not.toContain("…");
      expect(text).toContain("15 January 2027 at 08:00 UTC");
      expect(text).toContain("Firefox on Linux, from the network 198.51.100.0/24 (DE)");
      expect(text).not.toContain("198.51.100.77");
      expect(text).not.toContain("\nBuy");
    }
  });

  it.each(kinds)("[NOT-5] %s is pure text as a text message, without a link or a name", (kind) => {
    const longest = Date.UTC(2027, 8, 30, 22, 22);
    const text = noticeText(kind, { ...told, at: longest });
    const rest =
      kind === "name-token-idle"
        ? "If nothing needs it any more, there is nothing to do."
        : "When: 30 September 2027 at 22:22 UTC. Was it not you? Look at your account.";
    expect(text).toBe(`Latchkey: ${notices[kind].short} ${rest}`);
    expect(text).toMatch(/^Latchkey: [^….]+\. /); // a whole sentence
    expect(text).not.toMatch(/https?:|www\.|evil|@|<|\.(com|org|example)\b/);
    expect(text.length).toBeLessThanOrEqual(160);
  });

  it("[NOT-5] a code's message is pure text without a link", () => {
    const { sms } = codeWords("012345");
    expect(sms).toMatch(/^012345 is your Latchkey code\./);
    expect(sms).not.toMatch(/https?:|www\.|@|<|\//);
    expect(sms.length).toBeLessThanOrEqual(160);
  });
});
