/** The line under each part of the account center. */

import { describe, expect, it } from "vitest";
import { type PartState, partState } from "../../console/part-states.ts";
import type { Overview } from "../../workers/account/overview.ts";

const bare: Overview = {
  ...{ accountId: "acc_home_x", regionTitle: "Home", address: "a@example.org", createdAt: 0 },
  ...{ emails: 1, phones: 0, passwordChangedAt: 0, passkeys: 0, totp: 0, sms: 0 },
  ...{ recoveryCodes: 0, trusted: 0, linked: 0, sessions: 1, apps: 0, tokens: 0 },
  ...{ name: 0, photo: 0, lastEvent: null, lastAt: null },
};
const say = (part: Parameters<typeof partState>[0], of: Partial<Overview> = {}): PartState =>
  partState(part, { ...bare, ...of });

describe("the state of a part", () => {
  it("says of the second step what is on, and warns before recovery codes run out", () => {
    expect(say("second-step", { recoveryCodes: 10, trusted: 1 })).toEqual({ text: "Off" });
    const on = { totp: 1, recoveryCodes: 10 };
    expect(say("second-step", on)).toEqual({ text: "On: code app" });
    expect(say("second-step", { ...on, sms: 1, passkeys: 2, trusted: 3 })).toEqual({
      text: "On: code app, text message and 2 passkeys · 3 trusted browsers",
    });
    expect(say("second-step", { ...on, recoveryCodes: 3 }).warns).toBeUndefined();
    for (const [recoveryCodes, text] of [
      [2, "On, but only 2 recovery codes left"],
      [1, "On, but only 1 recovery code left"],
      [0, "On, but no recovery codes are left"],
    ] as const) {
      expect(say("second-step", { ...on, recoveryCodes })).toEqual({ text, warns: true });
    }
  });

  it("says what there is, and says where there is nothing", () => {
    const texts: [PartState, string][] = [
      [say("profile"), "No name, no photo"],
      [say("profile", { name: 1 }), "Name · no photo"],
      [say("profile", { name: 1, photo: 1 }), "Name and photo"],
      [say("addresses"), "1 e-mail · a second would be safer"],
      [say("addresses", { emails: 0, phones: 2 }), "2 phones"],
      [say("addresses", { phones: 1 }), "1 e-mail · 1 phone"],
      [say("password"), "Last changed 1 January 1970"],
      [say("password", { passwordChangedAt: null }), "None"],
      [say("passkeys", { passkeys: 2 }), "2 passkeys"],
      [say("linked"), "None"],
      [say("sessions"), "Only this one"],
      [say("sessions", { sessions: 3 }), "3 sessions, with this one"],
      [say("apps", { apps: 1 }), "1 app"],
      [say("tokens"), "None"],
      [say("activity"), "Nothing on record"],
    ];
    for (const [{ text }, expected] of texts) expect(text).toBe(expected);
    const last = say("activity", { lastEvent: "signed-in", lastAt: 7 });
    expect(last).toEqual({ text: "You signed in", at: 7 });
  });
});
