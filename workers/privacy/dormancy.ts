/**
 * Accounts that nobody has used for 24 months are erased, after two warnings (ACC-14). A lane of the
 * sweep. Use is a sign-in, a session or a token at work, or a device that was heard of; it takes back
 * every warning. A warning counts once it was handed over: cut short in between, it is sent again
 * rather than not at all. Why: docs/decisions/dormant-accounts.md.
 */

import {
  countWarning,
  type DormantAccount,
  dormantAccounts,
  isStillDormant,
  noteUse,
} from "../../db/queries/dormancy.ts";
import { devicesIn } from "../../db/queries/retention.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import { contactsOf, noticeChannel } from "../account/notices.ts";
import type { Db, Ports } from "../ports.ts";
import type { Contact } from "../sign-in/rules.ts";
import { eraseAccount } from "./erase.ts";

const WARNINGS = 2;

/** Takes the next step with the accounts of one region that are due; one that fails holds up no other. */
export async function warnOrErase(
  ports: Ports,
  db: Db,
): Promise<{ readonly deleted: number; readonly more: boolean }> {
  let deleted = 0;
  let failure: unknown = null;
  for (const dormant of await dormantAccounts(db, ports.clock.now(), limits.dormantPerRun)) {
    try {
      if (await step(ports, db, dormant)) deleted++;
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== null) throw failure;
  return { deleted, more: false };
}

/** Since when the longest due account is due; null when none is. */
export async function oldestDormant(ports: Ports, db: Db): Promise<number | null> {
  const due = await dormantAccounts(db, ports.clock.now(), 1);
  return due.length === 0 ? null : Math.min(...due.map(({ dueAt }) => dueAt));
}

/** True when the account was erased. */
async function step(ports: Ports, db: Db, dormant: DormantAccount): Promise<boolean> {
  const used = await lastDeviceUse(ports, db, dormant.id);
  if (used !== null && used >= dormant.activeDay + DAY) {
    await noteUse(db, dormant, used);
    return false;
  }
  if (dormant.warnings >= WARNINGS) {
    if (!(await isStillDormant(db, dormant))) return false;
    await eraseAccount(ports, dormant.id);
    return true;
  }
  await warn(ports, dormant);
  await note(ports, dormant.id, "dormancy-warned");
  await countWarning(db, dormant);
  return false;
}

/** When one of the account's devices was last heard of. */
async function lastDeviceUse(ports: Ports, db: Db, accountId: string): Promise<number | null> {
  const devices = await devicesIn(db, "device", accountId, limits.devicesPerAccount);
  const times = await Promise.all(devices.map((id) => ports.devices.get(id).lastUse()));
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.max(...known);
}

/** An address that the relay refuses for good has nobody to warn; any other failure is tried again. */
async function warn(ports: Ports, dormant: DormantAccount): Promise<void> {
  const contacts = noticeChannel(await contactsOf(ports, dormant.id));
  for (const contact of contacts) {
    try {
      await send(ports, contact, dormant);
    } catch (error) {
      if ((error as { code?: unknown } | null)?.code !== "EENVELOPE") throw error;
      ports.log({ event: "notice-failed", code: contact.kind });
    }
  }
}

async function send(ports: Ports, { kind, text: to }: Contact, dormant: DormantAccount) {
  const last = dormant.warnings + 1 === WARNINGS;
  const waitMs = last ? limits.dormantLastWarningMs : limits.dormantFirstWarningMs;
  const end = dayOf(ports.clock.now() + waitMs);
  const since = dayOf(dormant.activeDay);
  if (kind === "phone") {
    const text = `Latchkey: nobody has used your account since ${since}. It is erased on ${end}, unless you sign in before.`;
    return await ports.sms.send({ to, text });
  }
  await ports.mail.send({
    to,
    subject: `${last ? "Last warning: your" : "Your"} Latchkey account is erased on ${end}`,
    text: [
      "Hello,",
      `nobody has used your Latchkey account since ${since}, and none of its devices was heard of. We do not keep what nobody needs: on ${end} the account is erased, with its devices, their names and everything else. Nobody can bring it back then.`,
      `To keep it, sign in once before that day:\n${ports.config.origin}/sign-in`,
      last ? "This is the last warning." : "We will warn you once more.",
      "Latchkey",
    ].join("\n\n"),
  });
}

let format: Intl.DateTimeFormat | null = null;

/** `22 November 2026` in UTC; language data is loaded by the first warning, not by every start. */
function dayOf(at: number): string {
  format ??= new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });
  return format.format(at);
}
