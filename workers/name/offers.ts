/**
 * A name goes from a device of one person to a device of another, who are contacts: offered, then taken,
 * declined or withdrawn, or over by itself. The name goes and nothing with it: no address, no password, no
 * share, no history; all that was certified for it under our account and counts is revoked first.
 */

import { personKey } from "../../db/queries/accounts.ts";
import {
  insertOffer,
  type OfferRow,
  offersFrom,
  offersTo,
  takeOffer,
  withdrawOffer,
} from "../../db/queries/name-offers.ts";
import { isId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import { refusedUntil, revokeAll } from "../certificates/revocation.ts";
import { ownDevice } from "../devices/devices.ts";
import { regionDb } from "../devices/ending.ts";
import { areContacts } from "../people/doors.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";
import { failed, furtherName, settle } from "./labels.ts";
import { Noted } from "./noting.ts";

/** An offer that waits for an answer. */
export interface Offer {
  readonly id: string;
  readonly label: string;
  readonly from: string;
  readonly to: string;
  /** Which device has the name, for who offers it. */
  readonly deviceId: string;
  readonly expiresAt: number;
}

const placeOf = (id: string) => `name_offer.label:${id}`;

/**
 * Offers a name to a contact, in place of an offer of it that waits.
 * @throws Problem `id-syntax`, `own-id`, `not-contact`, `too-many`, and as `releaseName`
 */
export async function offerName(
  ports: Ports,
  me: string,
  deviceId: string,
  offered: { readonly label: string; readonly to: string },
  client: Client,
): Promise<void> {
  const { label, to } = offered;
  await furtherName(ports, me, deviceId, label);
  if (!isId("acc", to)) throw new Problem("id-syntax", "to");
  if (to === me) throw new Problem("own-id", "to");
  if (!(await areContacts(ports, me, to))) throw new Problem("not-contact", "to");
  const id = await ports.names.hash("label", label);
  for (const db of regionsOf(ports)) await withdrawOffer(db, id, me);
  const waiting = (await offersOf(ports, me)).filter(({ from }) => from === me);
  if (waiting.length >= limits.nameOffersPerAccount) throw new Problem("too-many", "to");
  const labelSealed = await ports.sealer.seal(personKey(to), placeOf(id), label);
  const expiresAt = ports.clock.now() + limits.nameOfferMs;
  const row = { id, accountId: to, fromId: me, deviceId, labelSealed, expiresAt };
  await insertOffer(regionDb(ports, to), row);
  await note(ports, me, "name-offered", { client, about: label });
}

/** What waits for an answer of `me`, and what `me` offered. */
export async function offersOf(ports: Ports, me: string): Promise<readonly Offer[]> {
  const now = ports.clock.now();
  const mine = await offersTo(regionDb(ports, me), me, now);
  const theirs = await Promise.all(regionsOf(ports).map((db) => offersFrom(db, me, now)));
  const read = await Promise.all([...mine, ...theirs.flat()].map((row) => opened(ports, row)));
  return read.filter((offer) => offer !== null);
}

/** How many offers wait for an answer of `me`. */
export async function waitingOffers(ports: Ports, me: string): Promise<number> {
  return (await offersTo(regionDb(ports, me), me, ports.clock.now())).length;
}

/**
 * Takes a name over, for a device of one's own, where it is one name more.
 * @throws Problem `not-found` for what is not offered (any more), `too-many` for a device with as many
 *   names as it may have, `unavailable` while the authority is away, that is to revoke what it certified
 */
export async function acceptOffer(
  ports: Ports,
  me: string,
  id: string,
  deviceId: string,
  client: Client,
): Promise<void> {
  const offer = (await offersOf(ports, me)).find((one) => one.id === id && one.to === me);
  if (offer === undefined) throw new Problem("not-found");
  const object = await ownDevice(ports, me, deviceId);
  if (!(await areContacts(ports, offer.from, me))) throw new Problem("not-found");
  const labels = await object.labels();
  if (labels === null) throw new Problem("not-found");
  if (labels.others.length + 1 >= limits.labelsPerDevice) throw new Problem("too-many", "device");
  await stillTheirs(ports, offer);
  const giving = new Noted(ports, offer.deviceId);
  await left(ports, offer, giving, "left");
  await revoked(ports, offer);
  await left(ports, offer, giving, "still");
  // Now, for once the name is moved the giver's box may end, and its object be away.
  const until = await refusedUntil(ports, ports.devices.get(offer.deviceId), isOf(ports, offer));
  const taken = await takeOffer(regionDb(ports, me), id, me, ports.clock.now());
  if (taken === null) throw new Problem("not-found");
  if (!(await moved(ports, offer, deviceId, giving))) throw new Problem("not-found");
  await note(ports, me, "name-received", { client, about: offer.label });
  if (until !== null) {
    const about = `${offer.label}, until ${new Date(until).toISOString().slice(0, 10)}`;
    await note(ports, me, "name-certified-elsewhere", { about });
  }
  await note(ports, offer.from, "name-given", { about: offer.label });
}

/** Says no to an offer, or withdraws one's own. @throws Problem `not-found` */
export async function endOffer(ports: Ports, me: string, id: string): Promise<void> {
  const now = ports.clock.now();
  if ((await takeOffer(regionDb(ports, me), id, me, now)) !== null) return;
  for (const db of regionsOf(ports)) if (await withdrawOffer(db, id, me)) return;
  throw new Problem("not-found");
}

/** The new device hears the word, the directory says whose it is, the old device forgets it. */
async function moved(
  ports: Ports,
  { label, deviceId: from }: Offer,
  to: string,
  giving: Noted,
): Promise<boolean> {
  const taking = new Noted(ports, to);
  await taking.mark();
  const object = ports.devices.get(to);
  const isExpected = (await object.expectLabel(label, null)) === "expected";
  for (const noted of [giving, taking]) await noted.mark();
  const isMoved = isExpected && (await ports.directory.moveLabel(label, from, to));
  if (!isMoved) await object.settleLabels([failed(label)], true);
  // The old one first: the name answers nothing for a moment, rather than two things.
  for (const [one, noted] of [
    [from, giving],
    [to, taking],
  ] as const) {
    const { isOver } = await settle(ports, one);
    if (isOver) await noted.end();
  }
  return isMoved;
}

/** The giver can still do without it. @throws Problem `not-found` */
async function stillTheirs(ports: Ports, { from, deviceId, label }: Offer): Promise<void> {
  await furtherName(ports, from, deviceId, label).catch((error: unknown) => {
    throw error instanceof Problem ? new Problem("not-found") : error;
  });
}

/**
 * From here on the giver's box gets no certificate for the name, so that none comes to be after they were
 * revoked. Where the name is not taken in the end, the sweep lets it have one again.
 * @param before `still`: that it was so all the time
 */
async function left(
  ports: Ports,
  { deviceId, label }: Offer,
  giving: Noted,
  before: "left" | "still",
): Promise<void> {
  await giving.mark();
  const result = await ports.devices.get(deviceId).leaveLabel(label);
  if (result === null) throw new Problem("not-found");
  if (result === "busy" || (before === "still" && result === "left"))
    throw new Problem("unavailable");
}

/** Certificates of the giver's for the name would go on saying that the name is theirs. */
async function revoked(ports: Ports, offer: Offer): Promise<void> {
  await revokeAll(ports, ports.devices.get(offer.deviceId), isOf(ports, offer));
}

/** Whether a name is the one that is offered, or below it. */
function isOf({ config }: Ports, { label }: Offer): (name: string) => boolean {
  const host = `${label}.${config.ddnsZone}`;
  return (name) => name === host || name.endsWith(`.${host}`);
}

async function opened(ports: Ports, row: OfferRow): Promise<Offer | null> {
  const { id, accountId: to, fromId: from, deviceId, expiresAt } = row;
  const label = await ports.sealer.open(personKey(to), placeOf(id), row.labelSealed);
  return label === null ? null : { id, label, from, to, deviceId, expiresAt };
}

function regionsOf(ports: Ports): Db[] {
  return ports.regions.ids.map((region) => regionDb(ports, region));
}
