/**
 * Accounts that nobody uses: warned twice, then erased, to the day; anything that is use takes it
 * back; and wherever a run is cut short, the next one goes on without a warning too few.
 */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { DAY, limits } from "../../protocol/limits.ts";
import { checkPersonalToken, makePersonalToken } from "../../workers/account/personal-tokens.ts";
import { approveEnrolment, setFeature, startEnrolment } from "../../workers/devices/devices.ts";
import { oldestOverdue, sweep } from "../../workers/privacy/sweep.ts";
import { checkSession } from "../../workers/sign-in/sessions.ts";
import { nameSecret } from "../support/name.ts";
import { type NewSession, newPerson, PASSWORD, signIn } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";

const bindings = env as unknown as { DB_HOME: D1Database };
const client = { userAgent: null, peer: null };
const { dormantMs, dormantFirstWarningMs, dormantLastWarningMs } = limits;
let test: TestPorts;
let owner: NewSession;
let address: string;
/** The end of the day on which the account was used last: from here the time counts. */
let dayEnd: number;
let serial = 0;

beforeEach(async () => {
  await bindings.DB_HOME.prepare("DELETE FROM account").run();
  await bindings.DB_HOME.prepare("DELETE FROM sweep").run();
  test = testPorts({ env });
  address = `dormant${serial++}@example.org`;
  owner = await newPerson(test, address);
  dayEnd = (Math.floor(test.clock.now() / DAY) + 1) * DAY;
  test.mail.sent.length = 0;
});

const row = () =>
  bindings.DB_HOME.prepare("SELECT active_day, warnings FROM account WHERE id = ?")
    .bind(owner.accountId)
    .first<{ active_day: number; warnings: number }>();

/** Sweeps at a moment; answers how many mails were sent and whether the account is there. */
async function at(time: number): Promise<[mails: number, warnings: number | null]> {
  test.clock.time = time;
  const before = test.mail.sent.length;
  await sweep(test.ports);
  await test.settle();
  return [test.mail.sent.length - before, (await row())?.warnings ?? null];
}

const first = () => dayEnd + dormantMs - dormantFirstWarningMs;
const last = () => dayEnd + dormantMs - dormantLastWarningMs;
const end = () => dayEnd + dormantMs;

async function newDevice(): Promise<string> {
  const start = await startEnrolment(test.ports, { publicKey: "C".repeat(43) });
  const request = { userCode: start.user_code, label: `dormant-${serial++}` };
  const { id } = await approveEnrolment(test.ports, owner.accountId, request);
  await setFeature(test.ports, owner.accountId, id, "name", true);
  await nameSecret(test.ports, owner.accountId, id);
  test.mail.sent.length = 0;
  return id;
}

describe("[ACC-14] an account that nobody uses", () => {
  it("is warned twice and then erased, not a millisecond early", async () => {
    expect(await at(first() - 1)).toEqual([0, 0]);
    expect(await at(first())).toEqual([1, 1]);
    expect(test.mail.sent.at(-1)?.to).toBe(address);
    expect(await at(first() + DAY)).toEqual([0, 1]);
    expect(await at(last() - 1)).toEqual([0, 1]);
    expect(await at(last())).toEqual([1, 2]);
    expect(await at(end() - 1)).toEqual([0, 2]);
    expect(await at(end())).toEqual([0, null]);
    const again = signIn(test.ports, { address, password: PASSWORD }, client);
    await expect(again).rejects.toMatchObject({ code: "bad-credentials" });
  });

  it("is told the day of its end, and where to keep it", async () => {
    const says = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });
    await at(first());
    expect(test.mail.sent.at(-1)?.subject).toBe(
      `Your Latchkey account is erased on ${says.format(end())}`,
    );
    expect(test.mail.sent.at(-1)?.text).toContain(`${test.ports.config.origin}/sign-in`);
    expect(test.mail.sent.at(-1)?.text).toContain("We will warn you once more.");
    await at(last());
    expect(test.mail.sent.at(-1)?.subject).toContain(`Last warning: your`);
    expect(test.mail.sent.at(-1)?.subject).toContain(says.format(end()));
  });

  it("is told by text message where there is no address", async () => {
    const { accountId } = owner;
    const id = `idn_${serial++}`;
    const key = `person/${accountId}` as const;
    const number = await test.ports.sealer.seal(key, `identifier.address:${id}`, "+3725551234");
    await bindings.DB_HOME.prepare(
      "UPDATE identifier SET id = ?, kind = 'phone', address_sealed = ? WHERE account_id = ?",
    )
      .bind(id, number, accountId)
      .run();
    expect(await at(first())).toEqual([0, 1]);
    const says = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });
    expect(test.sms.sent).toEqual([
      expect.objectContaining({
        to: "+3725551234",
        text: expect.stringContaining(`It is erased on ${says.format(end())}`),
      }),
    ]);
  });

  it("has the whole time that a warning names, however late the sweep came", async () => {
    const late = end() + 300 * DAY;
    expect(await at(late)).toEqual([1, 1]);
    const second = late + dormantFirstWarningMs - dormantLastWarningMs;
    expect(await at(second - 1)).toEqual([0, 1]);
    expect(await at(second)).toEqual([1, 2]);
    expect(await at(second + dormantLastWarningMs - 1)).toEqual([0, 2]);
    expect(await at(second + dormantLastWarningMs)).toEqual([0, null]);
  });

  it("is seen by the gauge from the moment it is due", async () => {
    const lag = async () =>
      (await oldestOverdue(test.ports)).find(({ lane }) => lane === "dormancy")?.overdueMs;
    test.clock.time = first() - 1;
    expect(await lag()).toBe(0);
    test.clock.time = first() + 5000;
    expect(await lag()).toBe(5000);
    await sweep(test.ports);
    expect(await lag()).toBe(0);
  });

  it("keeps its last use to the day, and no closer", async () => {
    expect((await row())?.active_day).toBe(dayEnd - DAY);
  });
});

describe("use takes it back", () => {
  it("a sign-in after both warnings: the time begins anew", async () => {
    await at(first());
    await at(last());
    await signIn(test.ports, { address, password: PASSWORD }, client);
    expect(await row()).toMatchObject({ warnings: 0 });
    dayEnd = (Math.floor(test.clock.now() / DAY) + 1) * DAY;
    await test.settle();
    test.mail.sent.length = 0;
    expect(await at(first() - 1)).toEqual([0, 0]);
    expect(await at(first())).toEqual([1, 1]);
  });

  it("a session that is used", async () => {
    await at(first());
    await bindings.DB_HOME.prepare("UPDATE session SET expires_at = ?, seen_at = 0")
      .bind(test.clock.now() + DAY)
      .run();
    // The sweep has deleted the old session; a new one stands for a browser that stayed signed in.
    const { token } = await signIn(test.ports, { address, password: PASSWORD }, client);
    await bindings.DB_HOME.prepare("UPDATE account SET warnings = 2, active_day = 0").run();
    test.clock.advance(limits.sessionSeenEveryMs);
    expect(await checkSession(test.ports, token)).not.toBeNull();
    await test.settle();
    expect(await row()).toMatchObject({
      warnings: 0,
      active_day: Math.floor(test.clock.now() / DAY) * DAY,
    });
  });

  it("a program that uses an access token, though its owner never comes", async () => {
    const asked = { name: "backup", scopes: ["account:read"] as const, days: 150 };
    const { token } = await makePersonalToken(test.ports, owner.accountId, asked, client);
    await bindings.DB_HOME.prepare("UPDATE account SET warnings = 2, active_day = 0").run();
    test.clock.advance(DAY);
    expect(await checkPersonalToken(test.ports, token)).not.toBeNull();
    await test.settle();
    expect(await row()).toEqual({
      warnings: 0,
      active_day: Math.floor(test.clock.now() / DAY) * DAY,
    });
  });

  it("a device that reports, though its address never changes", async () => {
    const id = await newDevice();
    const report = async () => {
      const update = { secret: null, ipv4: { set: "192.0.2.5" }, ipv6: "keep" } as const;
      return (await test.ports.devices.get(id).updateAddresses(update)).verdict;
    };
    expect([await report(), await report()]).toEqual(["good", "nochg"]);
    const heard = (await test.ports.devices.get(id).lastUse()) ?? 0;
    // The object's clock is the machine's: put the account as far behind it as it takes.
    const activeDay = Math.floor(heard / DAY) * DAY - dormantMs;
    await bindings.DB_HOME.prepare("UPDATE account SET active_day = ?, warnings = 2")
      .bind(activeDay)
      .run();
    expect(await at(heard + DAY)).toEqual([0, 0]);
    expect((await row())?.active_day).toBe(Math.floor(heard / DAY) * DAY);
  });

  it("while a warning is on its way: it is not counted, and the next ones are two again", async () => {
    const send = vi.spyOn(test.ports.mail, "send").mockImplementationOnce(async () => {
      await signIn(test.ports, { address, password: PASSWORD }, client);
    });
    await at(first());
    send.mockRestore();
    expect(await row()).toEqual({
      warnings: 0,
      active_day: Math.floor(test.clock.now() / DAY) * DAY,
    });
  });

  it("a device on the day that is known already is no more use, and holds up nothing", async () => {
    const id = await newDevice();
    const lastUse = async () => dayEnd - 1;
    const stub = test.ports.devices.get(id);
    vi.spyOn(test.ports.devices, "get").mockReturnValue({ ...stub, lastUse } as never);
    expect(await at(first())).toEqual([1, 1]);
    vi.restoreAllMocks();
  });

  it("the latest of several devices, though others were never heard of", async () => {
    const heard = new Map([
      [await newDevice(), dayEnd - 300 * DAY],
      [await newDevice(), dayEnd + 3 * DAY],
      [await newDevice(), null],
    ]);
    const { get } = test.ports.devices;
    vi.spyOn(test.ports.devices, "get").mockImplementation(
      (id) => ({ ...get(id), lastUse: async () => heard.get(id) ?? null }) as never,
    );
    expect(await at(first())).toEqual([0, 0]);
    vi.restoreAllMocks();
    expect((await row())?.active_day).toBe(dayEnd + 3 * DAY);
  });

  it("between the look and the end: the account stays", async () => {
    await at(first());
    await at(last());
    const id = await newDevice();
    test.clock.time = end();
    const stub = test.ports.devices.get(id);
    vi.spyOn(test.ports.devices, "get").mockReturnValue({
      ...stub,
      lastUse: async () => {
        await signIn(test.ports, { address, password: PASSWORD }, client);
        return null;
      },
    } as never);
    await sweep(test.ports);
    vi.restoreAllMocks();
    expect(await row()).toMatchObject({ warnings: 0 });
  });
});

describe("a run that is cut short", () => {
  it("while the relay is away: no warning is counted, and it is sent when the relay is back", async () => {
    test.mail.failing = true;
    expect(await at(first())).toEqual([0, 0]);
    expect(test.lines).toContainEqual({ event: "sweep-failed", lane: "dormancy", code: "Error" });
    test.mail.failing = false;
    expect(await at(first() + 60_000)).toEqual([1, 1]);
  });

  it("after the mail, before the count: it is sent again rather than not at all", async () => {
    const prepare = vi.spyOn(test.ports.sealer, "seal").mockRejectedValueOnce(new Error("cut"));
    expect(await at(first())).toEqual([1, 0]);
    prepare.mockRestore();
    expect(await at(first() + 60_000)).toEqual([1, 1]);
    expect(await at(first() + 120_000)).toEqual([0, 1]);
  });

  it("before the erasure began: the next run erases", async () => {
    await at(first());
    await at(last());
    const put = vi.spyOn(test.ports.ledger, "put").mockRejectedValueOnce(new Error("cut"));
    expect(await at(end())).toEqual([0, 2]);
    put.mockRestore();
    expect(await at(end() + 60_000)).toEqual([0, null]);
  });

  it("one account that cannot be reached holds up no other", async () => {
    const other = await newPerson(test, `other${serial++}@example.org`);
    test.mail.sent.length = 0;
    const send = vi.spyOn(test.ports.mail, "send");
    send.mockImplementationOnce(async () => {
      throw new Error("refused");
    });
    await at(first());
    send.mockRestore();
    const { results } = await bindings.DB_HOME.prepare(
      "SELECT warnings FROM account WHERE id IN (?, ?) ORDER BY warnings",
    )
      .bind(owner.accountId, other.accountId)
      .all();
    expect(results).toEqual([{ warnings: 0 }, { warnings: 1 }]);
  });

  it("an address that is refused for good is not tried for ever", async () => {
    const refused = Object.assign(new Error("550 no such mailbox"), { code: "EENVELOPE" });
    const send = vi.spyOn(test.ports.mail, "send").mockRejectedValue(refused);
    expect(await at(first())).toEqual([0, 1]);
    send.mockRestore();
    expect(JSON.stringify(test.lines)).not.toContain(address);
  });
});
