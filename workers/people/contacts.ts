/**
 * Contacts: people who found each other by Latchkey ID and both agreed (ACC-6). Every act writes its
 * own side first, so that a wish is withdrawn the moment its owner says so, wherever it is cut short;
 * then the other side. Asking answers and works the same for everybody: a stranger, somebody who
 * blocked, a contact, an identifier that is nobody's (ACC-9).
 */

import {
  changeEdge,
  deleteEdge,
  type EdgeRow,
  edgesOf,
  edgesTo,
  putAsk,
  putBlock,
  receiveAsk,
  type Side,
  settleAsk,
} from "../../db/queries/contacts.ts";
import type { EdgeState } from "../../db/queries/profiles.ts";
import { isId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";
import { between, type Relation } from "./between.ts";
import { endContactAtDoors } from "./doors.ts";

/** The two sides of a pair, each with the database it lies in. */
interface Pair {
  readonly mine: Side;
  readonly theirs: Side;
  readonly my: Db;
  readonly their: Db;
}

/**
 * @throws Problem `id-syntax` for what is no Latchkey ID, `own-id`, `not-found` when the account that
 *   acts is gone
 */
function pairOf(ports: Ports, me: string, other: string): Pair {
  if (!isId("acc", other)) throw new Problem("id-syntax", "account");
  if (other === me) throw new Problem("own-id", "account");
  const my = ports.regions.db(me);
  // A region that is none has nobody in it; looking in ours for them finds as much.
  const their = ports.regions.db(other) ?? ports.regions.db(ports.regions.default);
  if (my === null || their === null) throw new Problem("not-found");
  return { mine: { me, other }, theirs: { me: other, other: me }, my, their };
}

/**
 * Asks somebody to be a contact; who was asked by them agrees. Says nothing of whether they exist.
 * @throws Problem `too-many-tries`, `too-many`, `blocked-by-you`, and as `pairOf`
 */
export async function askContact(
  ports: Ports,
  me: string,
  other: string,
  client: Client,
): Promise<void> {
  const { mine, theirs, my, their } = pairOf(ports, me, other);
  const { contactAsksPerAccount: max, contactAskWindowMs: windowMs } = limits;
  if (!(await ports.limits.take("contact-ask", me, max, windowMs))) {
    throw new Problem("too-many-tries");
  }
  const now = ports.clock.now();
  const times = { now, expiresAt: now + limits.contactAskMs };
  const state = await putAsk(my, mine, times, limits.contactsPerAccount);
  if (state === null) throw new Problem("too-many");
  if (state === "blocked") throw new Problem("blocked-by-you", "account");
  const answer = await receiveAsk(their, theirs, times, limits.contactAsksWaiting);
  if (!(await settleAsk(my, mine, answer === "contact", times))) {
    await deleteEdge(their, theirs, ["asking", "contact"]);
  }
  await note(ports, me, "contact-asked", { client, about: other });
}

/**
 * Agrees to an ask. When it was taken back meanwhile nothing comes of it.
 * @throws Problem `not-found` when nobody of that ID asks, and as `pairOf`
 */
export async function acceptContact(
  ports: Ports,
  me: string,
  other: string,
  client: Client,
): Promise<void> {
  const { mine, theirs, my, their } = pairOf(ports, me, other);
  const now = ports.clock.now();
  if (!(await changeEdge(my, mine, ["asking", "contact"], "contact", now))) {
    throw new Problem("not-found");
  }
  if (!(await changeEdge(their, theirs, ["asked", "contact"], "contact", now))) {
    await deleteEdge(my, mine, ["contact"]);
    throw new Problem("not-found");
  }
  await note(ports, me, "contact-accepted", { client, about: other });
}

/** Says no to an ask; who asked learns nothing. @throws Problem as `acceptContact` */
export async function declineContact(ports: Ports, me: string, other: string): Promise<void> {
  const { mine, my } = pairOf(ports, me, other);
  if (!(await changeEdge(my, mine, ["asking"], "declined", ports.clock.now()))) {
    throw new Problem("not-found");
  }
}

/** Ends a contact, or takes an ask back. Idempotent. @throws Problem as `pairOf` */
export async function removeContact(
  ports: Ports,
  me: string,
  other: string,
  client: Client,
): Promise<void> {
  const { mine, theirs, my, their } = pairOf(ports, me, other);
  const removed = await deleteEdge(my, mine, ["asked", "contact"]);
  await deleteEdge(their, theirs, ["asking", "contact"]);
  if (removed) await note(ports, me, "contact-removed", { client, about: other });
  await endContactAtDoors(ports, me, other);
}

/**
 * Blocks somebody: they are no contact, their asks are not heard and they see nothing. Idempotent.
 * @throws Problem `too-many`, and as `pairOf`
 */
export async function blockPerson(
  ports: Ports,
  me: string,
  other: string,
  client: Client,
): Promise<void> {
  const { mine, theirs, my, their } = pairOf(ports, me, other);
  if (!(await putBlock(my, mine, ports.clock.now(), limits.contactsPerAccount))) {
    throw new Problem("too-many");
  }
  await deleteEdge(their, theirs, ["asking", "contact"]);
  await note(ports, me, "contact-blocked", { client, about: other });
  await endContactAtDoors(ports, me, other);
}

/** Lets somebody ask again. Idempotent. @throws Problem as `pairOf` */
export async function unblockPerson(ports: Ports, me: string, other: string): Promise<void> {
  const { mine, my } = pairOf(ports, me, other);
  await deleteEdge(my, mine, ["blocked"]);
}

/** Somebody that a person knows here, or is asked by, or blocked. */
export interface Known {
  readonly accountId: string;
  readonly relation: Exclude<Relation, "none">;
  /** How they stand to the person: what they let them see depends on it. */
  readonly theirs: EdgeState | null;
  readonly since: number;
  /** When an ask ends by itself; null for what stays. */
  readonly expiresAt: number | null;
}

/** Everybody a person knows here, the latest first. Mends what an act that was cut short left. */
export async function knownPeople(ports: Ports, me: string): Promise<Known[]> {
  const my = ports.regions.db(me);
  if (my === null) return [];
  const now = ports.clock.now();
  const regions = ports.regions.ids.flatMap((id) => ports.regions.db(id) ?? []);
  const [own, ...others] = await Promise.all([
    edgesOf(my, me, now),
    ...regions.map((db) => edgesTo(db, me, now)),
  ]);
  const theirs = new Map(others.flat().map((row) => [row.accountId, row]));
  const list: Known[] = [];
  for (const row of own) {
    const other = theirs.get(row.otherId) ?? null;
    const relation = await mended(ports, row, other, now);
    if (relation === "none") continue;
    const { otherId: accountId, since, expiresAt } = row;
    list.push({ accountId, relation, theirs: other?.state ?? null, since, expiresAt });
  }
  return list;
}

/** What is between two rows, once they fit each other. */
async function mended(
  ports: Ports,
  row: EdgeRow,
  other: EdgeRow | null,
  now: number,
): Promise<Relation> {
  const { relation, mendMine, mendTheirs } = between(row.state, other?.state ?? null);
  if (mendMine === undefined && mendTheirs === undefined) return relation;
  const { mine, theirs, my, their } = pairOf(ports, row.accountId, row.otherId);
  if (mendTheirs === "contact") {
    await changeEdge(their, theirs, ["asked"], "contact", now);
  }
  switch (mendMine) {
    case "contact":
      await changeEdge(my, mine, ["asked"], "contact", now);
      break;
    case "asked":
      await settleAsk(my, mine, false, { expiresAt: other?.expiresAt ?? now });
      break;
    case "delete":
      await deleteEdge(my, mine, [row.state]);
      break;
    case undefined:
      break;
  }
  return relation;
}
