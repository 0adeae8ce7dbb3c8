/**
 * The zone at Cloudflare's own DNS, for operators who prefer that to name servers of theirs: what devices
 * publish is pushed through the platform's API, change by change, and compared as a whole whenever nobody
 * knows what is there. Each record says in its comment whose it is; records without one are left alone.
 */

import { quoted } from "../../protocol/dns/presentation.ts";
import type { Data } from "../../protocol/dns/rdata.ts";
import type { PublishedSet } from "../../protocol/dns/sets.ts";
import type { FeedName } from "../../protocol/feed.ts";
import { limits } from "../../protocol/limits.ts";
import type { Ports } from "../ports.ts";

const MARK = "latchkey ";

/** A record as the API takes it; `content` or `data`, by its type. */
export interface CloudRecord {
  readonly type: string;
  /** The whole name. */
  readonly name: string;
  readonly ttl: number;
  readonly content?: string;
  readonly data?: Readonly<Record<string, string | number>>;
  readonly comment: string;
  readonly proxied?: false;
}

/** A record as the API shows it. */
export interface ShownRecord extends CloudRecord {
  readonly id: string;
}

export interface Batch {
  /** The name is for us: the API takes the identifier alone. */
  readonly deletes: readonly { readonly id: string; readonly name: string }[];
  readonly patches: readonly (Partial<CloudRecord> & { readonly id: string })[];
  readonly posts: readonly CloudRecord[];
}

/** The API said no, or "later". The message names nothing: it may be logged. */
export class NotPublished extends Error {
  override readonly name = "NotPublished";
}

/** Pushes what changed since the last time, in bounded steps. @throws NotPublished */
export async function publishZone(ports: Ports): Promise<void> {
  if (ports.config.cloudflareZone === null) return;
  const zone = ports.zone();
  const seen = new Set<string>();
  let isWhole = false;
  let all: Shown | null = null;
  for (let left = limits.publisherPagesPerRun; left > 0; left--) {
    const page = await zone.unpublished();
    isWhole ||= page.whole;
    // Asking for each name apart is cheaper for a few only.
    if (isWhole || page.names.length > limits.publisherNamesApart) all ??= await listAll(ports);
    const batches: Batch[] = [];
    for (const name of page.names) {
      const comment = commentOf(name.id);
      const there = all === null ? await listOf(ports, comment) : (all.get(comment) ?? []);
      batches.push(difference(there, recordsOf(name, ports.config.ddnsZone)));
      if (name.names.length > 0) seen.add(comment);
    }
    await apply(ports, handedOverFirst(batches, ports.config.ddnsZone));
    // What nobody names any more: only who read everything in one go knows.
    if (page.end && isWhole) await removeUnknown(ports, all ?? new Map(), seen);
    await zone.published(page.to, !page.end);
    if (page.end) return;
  }
}

/**
 * A name that changes hands answers nothing for a moment rather than two things, in whatever order its devices
 * told it and however many requests it takes: what one loses goes before another gets it.
 */
function handedOverFirst(batches: readonly Batch[], zone: string): Batch[] {
  const getters = new Map<string, Batch[]>();
  for (const batch of batches) {
    for (const label of new Set(batch.posts.map(({ name }) => labelOf(name, zone)))) {
      getters.set(label, [...(getters.get(label) ?? []), batch]);
    }
  }
  const lost: Batch["deletes"][number][] = [];
  const others = batches.map((batch) => {
    const isLost = ({ name }: { name: string }) =>
      getters.get(labelOf(name, zone))?.some((one) => one !== batch) ?? false;
    lost.push(...batch.deletes.filter(isLost));
    return { ...batch, deletes: batch.deletes.filter((one) => !isLost(one)) };
  });
  return [{ deletes: lost, patches: [], posts: [] }, ...others];
}

/** The device's name that a record's is at or below. */
const labelOf = (name: string, zone: string): string =>
  name
    .slice(0, -zone.length - 1)
    .split(".")
    .at(-1) ?? "";

/** Records of ours by their comment. */
type Shown = Map<string, ShownRecord[]>;

async function listOf(ports: Ports, comment: string): Promise<ShownRecord[]> {
  const query = { "comment.exact": comment, per_page: String(limits.publisherPage) };
  return (await list(ports, new URLSearchParams(query))).records;
}

async function listAll(ports: Ports): Promise<Shown> {
  const all: Shown = new Map();
  for (let page = 1, pages = 1; page <= pages; page++) {
    const query = new URLSearchParams({
      "comment.startswith": MARK,
      per_page: String(limits.publisherPage),
      page: String(page),
    });
    const listed = await list(ports, query);
    pages = listed.pages;
    for (const record of listed.records) {
      const same = all.get(record.comment);
      if (same === undefined) all.set(record.comment, [record]);
      else same.push(record);
    }
  }
  return all;
}

/** Deletes the records of ours that belong to no name. */
async function removeUnknown(ports: Ports, all: Shown, known: ReadonlySet<string>): Promise<void> {
  const deletes = [...all].flatMap(([comment, records]) =>
    known.has(comment) ? [] : records.map(({ id, name }) => ({ id, name })),
  );
  await apply(ports, [{ deletes, patches: [], posts: [] }]);
}

/** In requests of as many changes as every plan takes; deletions come first, as the API has them. */
async function apply(ports: Ports, batches: readonly Batch[]): Promise<void> {
  let waiting: Batch = { deletes: [], patches: [], posts: [] };
  const size = ({ deletes, patches, posts }: Batch) =>
    deletes.length + patches.length + posts.length;
  const send = async () => {
    if (size(waiting) > 0)
      await request(ports, { method: "POST", query: "", batch: textOf(waiting) });
    waiting = { deletes: [], patches: [], posts: [] };
  };
  for (const batch of batches.flatMap(split)) {
    if (size(waiting) + size(batch) > limits.publisherBatch) await send();
    waiting = {
      deletes: [...waiting.deletes, ...batch.deletes],
      patches: [...waiting.patches, ...batch.patches],
      posts: [...waiting.posts, ...batch.posts],
    };
  }
  await send();
}

const textOf = ({ deletes, patches, posts }: Batch) =>
  JSON.stringify({ deletes: deletes.map(({ id }) => ({ id })), patches, posts });

/** A batch that is too long in itself, in the order of the API. */
function split(batch: Batch): Batch[] {
  const max = limits.publisherBatch;
  const none: Batch = { deletes: [], patches: [], posts: [] };
  const { deletes, patches, posts } = batch;
  if (deletes.length + patches.length + posts.length <= max) return [batch];
  const pieces = <T>(all: readonly T[]) =>
    Array.from({ length: Math.ceil(all.length / max) }, (_, at) =>
      all.slice(at * max, (at + 1) * max),
    );
  return [
    ...pieces(deletes).map((piece) => ({ ...none, deletes: piece })),
    ...pieces(patches).map((piece) => ({ ...none, patches: piece })),
    ...pieces(posts).map((piece) => ({ ...none, posts: piece })),
  ];
}

async function list(
  ports: Ports,
  query: URLSearchParams,
): Promise<{ records: ShownRecord[]; pages: number }> {
  const body = await request(ports, { method: "GET", query: String(query), batch: "" });
  const { result, result_info: info } = body as {
    result?: unknown;
    result_info?: { total_pages?: unknown };
  };
  if (!Array.isArray(result)) throw new NotPublished("an answer without records");
  return { records: result as ShownRecord[], pages: Number(info?.total_pages ?? 1) };
}

async function request(
  ports: Ports,
  fields: { method: string; query: string; batch: string },
): Promise<object> {
  const { status, body } = await ports.egress.send("cloudflare dns", fields);
  if (status === 429) throw new NotPublished("too many requests");
  let read: { success?: unknown } | null = null;
  try {
    read = JSON.parse(body);
  } catch {
    // No answer of the API at all.
  }
  if (status !== 200 || read?.success !== true) throw new NotPublished(`status ${status}`);
  return read;
}

const commentOf = (id: string) => MARK + id;

/** What a name's records are to be. */
export function recordsOf({ id, names }: FeedName, zone: string): CloudRecord[] {
  return names.flatMap(({ label, sets }) =>
    sets.flatMap(({ owner, ttl, data }: PublishedSet) =>
      data.flatMap((one) => {
        const words = wordsOf(one);
        if (words === null) return [];
        const name = `${owner === "" ? "" : `${owner}.`}${label}.${zone}`;
        const least = Math.max(ttl, limits.publisherTtlSeconds);
        return [{ type: one.type, name, ttl: least, ...words, comment: commentOf(id) }];
      }),
    ),
  );
}

/** The data in the API's words; null for what the platform makes itself, as it signs the zone. */
function wordsOf(data: Data): Pick<CloudRecord, "content" | "data" | "proxied"> | null {
  switch (data.type) {
    case "A":
    case "AAAA":
      return { content: data.address, proxied: false };
    case "TXT":
      return { content: data.texts.map(quoted).join(" ") };
    case "CAA":
      return { data: { flags: data.flags, tag: data.tag, value: data.value } };
    case "HTTPS":
    case "SVCB": {
      const { alpn, port, ipv4hint, ipv6hint } = data.params;
      const value = [
        alpn === undefined ? [] : [`alpn="${alpn.join(",")}"`],
        port === undefined ? [] : [`port="${port}"`],
        ipv4hint === undefined ? [] : [`ipv4hint="${ipv4hint.join(",")}"`],
        ipv6hint === undefined ? [] : [`ipv6hint="${ipv6hint.join(",")}"`],
      ].flat();
      const target = data.target.length === 0 ? "." : data.target.join(".");
      return { data: { priority: data.priority, target, value: value.join(" ") } };
    }
    default:
      return null;
  }
}

/** What makes `wanted` of `there`: a record that only says something else is changed where it stands. */
export function difference(there: readonly ShownRecord[], wanted: readonly CloudRecord[]): Batch {
  const missing = [...wanted];
  const left = there.filter((record) => {
    const at = missing.findIndex((one) => isSame(one, record));
    if (at >= 0) missing.splice(at, 1);
    return at < 0;
  });
  const patches: { id: string }[] = [];
  const deletes = left.flatMap(({ id, type, name }) => {
    const at = missing.findIndex((one) => one.type === type && one.name === name);
    const [instead] = at < 0 ? [] : missing.splice(at, 1);
    if (instead === undefined) return [{ id, name }];
    patches.push({ id, ...instead });
    return [];
  });
  return { deletes, patches, posts: missing };
}

function isSame(wanted: CloudRecord, there: ShownRecord): boolean {
  const { type, name, ttl, content, data } = wanted;
  if (type !== there.type || name !== there.name || ttl !== there.ttl) return false;
  if (content !== undefined) return content === there.content;
  return Object.entries(data ?? {}).every(([field, value]) => there.data?.[field] === value);
}
