/**
 * Domains of a device's owner that lead to one of its names (docs/name.md): added, looked at, taken away.
 * They lie in the device's object; when they are looked at next stands beside the device's row.
 */

import { dueLooks, noteLook, scheduleDomains } from "../../db/queries/device-names.ts";
import { ownerOf } from "../../db/queries/devices.ts";
import type { DomainsState, OwnDomain } from "../../durable-objects/device/domains-rpc.ts";
import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import type { Lookup } from "../../protocol/dns/reply.ts";
import { limits } from "../../protocol/limits.ts";
import { type ActivityEvent, note } from "../account/activity.ts";
import { notice } from "../account/notices.ts";
import { ownDevice } from "../devices/devices.ts";
import { regionDb } from "../devices/ending.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";
import {
  afterLook,
  checkDomain,
  type DomainNews,
  domainFrom,
  type Look,
  nextLook,
  questionsAtMost,
  type Target,
} from "./domains-check.ts";

/** Whose device, and who asks. */
export interface Asker {
  readonly accountId: string;
  readonly deviceId: string;
  readonly client: Client;
}

/** @throws Problem `not-found`, `feature-off` */
export async function domainsOf(
  ports: Ports,
  { accountId, deviceId }: Omit<Asker, "client">,
): Promise<readonly OwnDomain[]> {
  return (await stateOf(await ownDevice(ports, accountId, deviceId))).domains;
}

/**
 * Adds a domain and looks at it at once.
 * @throws Problem `no-resolver`, `domain-syntax`, `domain-ours`, `domain-yours`, `too-many`,
 *   `too-many-tries`, `not-found`, `feature-off`
 */
export async function addDomain(ports: Ports, asker: Asker, typed: string): Promise<OwnDomain> {
  if (ports.config.resolver === null) throw new Problem("no-resolver");
  const device = await ownDevice(ports, asker.accountId, asker.deviceId);
  const name = domainFrom(typed);
  if (name === null) throw new Problem("domain-syntax", "domain");
  if (isOurs(ports, name)) throw new Problem("domain-ours", "domain");
  const { domains } = await stateOf(device);
  if (domains.some((one) => one.name === name)) throw new Problem("domain-yours", "domain");
  if (domains.length >= limits.domainsPerDevice) throw new Problem("too-many", "domain");
  await countLook(ports, asker.accountId);
  const now = ports.clock.now();
  // Noted first: a domain that nobody looks at would never be told of.
  await scheduleDomains(regionDb(ports, asker.deviceId), asker.deviceId, now);
  const added: OwnDomain = {
    ...{ name, addedAt: now, seen: null, since: null, certifiable: false },
    ...{ lostAt: null, tries: 0, misses: 0, silences: 0, dueAt: now },
  };
  await changed(device, (before) => {
    if (before.some((one) => one.name === name)) throw new Problem("domain-yours", "domain");
    if (before.length >= limits.domainsPerDevice) throw new Problem("too-many", "domain");
    return [...before, added];
  });
  await note(ports, asker.accountId, "domain-added", { client: asker.client, about: name });
  return await looked(ports, asker, device, added);
}

/**
 * Looks at a domain now.
 * @throws Problem `not-found`, `feature-off`, `no-resolver`, `too-many-tries`
 */
export async function lookAgain(ports: Ports, asker: Asker, typed: string): Promise<OwnDomain> {
  const name = domainFrom(typed);
  const device = await ownDevice(ports, asker.accountId, asker.deviceId);
  const domain = (await stateOf(device)).domains.find((one) => one.name === name);
  if (domain === undefined) throw new Problem("not-found");
  if (ports.config.resolver === null) throw new Problem("no-resolver");
  await countLook(ports, asker.accountId);
  return await looked(ports, asker, device, domain);
}

/** Takes a domain away. DNS elsewhere is not ours to change. @throws Problem `not-found`, `feature-off` */
export async function removeDomain(ports: Ports, asker: Asker, typed: string): Promise<void> {
  const name = domainFrom(typed) ?? "";
  const device = await ownDevice(ports, asker.accountId, asker.deviceId);
  await changed(device, (before) => {
    if (!before.some((one) => one.name === name)) throw new Problem("not-found");
    return before.filter((one) => one.name !== name);
  });
  await forgetOrderFor(device, name);
  await note(ports, asker.accountId, "domain-removed", { client: asker.client, about: name });
}

/** An order that waits for its turn would be for what is not to be certified again. */
async function forgetOrderFor(device: DeviceStub, name: string): Promise<void> {
  const state = await device.certificate();
  if (state?.order?.step !== "waiting" || !state.order.names.includes(name)) return;
  await device.setCertificate({ ...state, order: null }); // who changed it meanwhile has begun with it
}

/** How many questions the run of the sweep may still ask. */
export interface Questions {
  left: number;
}

/**
 * Looks at the domains of a region whose time has come, the longest due first, with as many questions as are
 * left: what they do not suffice for is the next run's. One device that fails holds up no other.
 */
export async function lookAtDue(
  ports: Ports,
  db: Db,
  questions: Questions = { left: limits.domainQuestionsAtOnce },
): Promise<void> {
  if (ports.config.resolver === null) return;
  const run = { questions, until: ports.clock.now() + limits.domainRunMs };
  let failure: unknown = null;
  for (const one of await dueLooks(db, "domainsAt", ports.clock.now(), limits.domainsAtOnce)) {
    if (!mayBegin(ports, run)) break;
    try {
      await lookAtDevice(ports, db, one, run);
    } catch (error) {
      failure = error;
      // Those that fail each time would else be the longest due, and nobody's turn would come.
      await noteLook(db, "domainsAt", one.id, one.at, ports.clock.now() + limits.domainRetryMs);
    }
  }
  if (failure !== null) throw failure;
}

interface Run {
  readonly questions: Questions;
  /** No other domain is begun with after this; ms since the epoch. */
  readonly until: number;
}

/** Whether a domain can be looked at to the end, however long its way is. */
const mayBegin = ({ clock }: Ports, { questions, until }: Run) =>
  questions.left >= questionsAtMost && clock.now() < until;

async function lookAtDevice(
  ports: Ports,
  db: Db,
  { id, at }: { readonly id: string; readonly at: number },
  run: Run,
): Promise<void> {
  const device = ports.devices.get(id);
  const owner = await ownerOf(db, id);
  const state = owner === null ? null : await device.ownDomains();
  for (const domain of state?.domains ?? []) {
    if ((domain.dueAt ?? Infinity) > ports.clock.now()) continue;
    if (!mayBegin(ports, run)) break;
    const seen = await seenNow(ports, device, domain, run.questions);
    if (seen !== null && owner !== null) await tell(ports, owner, seen.news, domain.name);
  }
  // What was left out is as long due as it was.
  const next = nextLook((await device.ownDomains())?.domains ?? []);
  await noteLook(db, "domainsAt", id, at, next);
}

/** Looks because its owner wants it. @throws Problem `not-found` when it was taken away meanwhile */
async function looked(
  ports: Ports,
  { accountId, deviceId }: Asker,
  device: DeviceStub,
  domain: OwnDomain,
): Promise<OwnDomain> {
  const seen = await seenNow(ports, device, domain);
  if (seen === null) throw new Problem("not-found");
  await tell(ports, accountId, seen.news, domain.name);
  const next = nextLook((await stateOf(device)).domains);
  await scheduleDomains(regionDb(ports, deviceId), deviceId, next);
  return seen.domain;
}

/**
 * Asks DNS and keeps what was seen; null for a domain that was taken away meanwhile.
 * @param questions from which as many go as were asked
 */
async function seenNow(
  ports: Ports,
  device: DeviceStub,
  { name }: OwnDomain,
  questions: Questions = { left: questionsAtMost },
): Promise<{ domain: OwnDomain; news: DomainNews | null } | null> {
  // Other regions' domains are looked at beside: they may count on none of what this one may need.
  questions.left -= questionsAtMost;
  const target = await targetOf(ports, device);
  const checked = await checkDomain(name, target, lookOf(ports));
  questions.left += questionsAtMost - checked.steps.length;
  let seen: ReturnType<typeof afterLook> | null = null;
  await changed(device, (before) =>
    before.map((one) => {
      if (one.name !== name) return one;
      seen = afterLook(one, checked, ports.clock.now());
      return seen.domain;
    }),
  );
  return seen;
}

/** What the device's names are, and what they answer with. */
async function targetOf(ports: Ports, device: DeviceStub): Promise<Target> {
  const labels = (await device.describe())?.labels ?? [];
  const sets = (await device.records(undefined, false)) ?? [];
  const own = sets.filter(({ owner }) => owner === "").flatMap(({ data }) => data);
  return {
    hosts: labels.map((label) => `${label}.${ports.config.ddnsZone}`),
    addresses: own.flatMap((one) => ("address" in one ? [one.address] : [])),
  };
}

/** Asks the operator's resolver, for `limits.domainLookMs` in all. */
function lookOf(ports: Ports): Look {
  const until = ports.clock.now() + limits.domainLookMs;
  return async (name: string, type: Lookup) => {
    if (ports.clock.now() >= until) return null;
    return await ports.egress.send("dns resolver", { name, type }).catch(() => null);
  };
}

const told: Readonly<Record<DomainNews, ActivityEvent>> = {
  here: "domain-here",
  lost: "domain-lost",
  over: "domain-over",
};

async function tell(
  ports: Ports,
  accountId: string,
  news: DomainNews | null,
  about: string,
): Promise<void> {
  if (news === null) return;
  await note(ports, accountId, told[news], { about });
  // NOT-1: whoever has the domain now may stand where the box stood.
  if (news === "lost") notice(ports, accountId, "domain-lost", { about });
}

async function countLook(ports: Ports, accountId: string): Promise<void> {
  const { domainLooksPerAccount, domainLooksWindowMs } = limits;
  const may = await ports.limits.take(
    ...(["domains", accountId, domainLooksPerAccount, domainLooksWindowMs] as const),
  );
  if (!may) throw new Problem("too-many-tries");
}

/** A name of the service itself, or one that it gives out. */
function isOurs({ config }: Ports, name: string): boolean {
  const ours = [config.ddnsZone, config.linkZone, new URL(config.origin).hostname];
  return ours.some((zone) => name === zone || name.endsWith(`.${zone}`));
}

/** @throws Problem `feature-off` */
async function stateOf(device: DeviceStub): Promise<DomainsState> {
  const state = await device.ownDomains();
  if (state === null) throw new Problem("feature-off");
  return state;
}

/** Changes them, however many others do at the same time. @throws Problem `feature-off`, `unavailable` */
async function changed(
  device: DeviceStub,
  change: (before: readonly OwnDomain[]) => readonly OwnDomain[],
): Promise<void> {
  for (let left = limits.domainChangeTries; left > 0; left--) {
    const state = await stateOf(device);
    if (await device.setOwnDomains({ ...state, domains: change(state.domains) })) return;
  }
  throw new Problem("unavailable");
}
