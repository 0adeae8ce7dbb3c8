/**
 * DNS over HTTPS (RFC 8484): from an HTTP request to a DNS message and back. Every DNS verdict, even
 * a refusal, is HTTP 200; an HTTP error means that no DNS message arrived.
 */

import {
  type Answer,
  empty,
  type Query,
  rcodes,
  readQuery,
  writeAnswer,
  writeError,
} from "../../protocol/dns/message.ts";
import { types } from "../../protocol/dns/rdata.ts";
import { isUpdate } from "../../protocol/dns/update.ts";
import { planAnswer, withProof } from "../../protocol/dns/zone.ts";
import { limits } from "../../protocol/limits.ts";
import { fromBase64url } from "../../protocol/tokens.ts";
import { readBounded } from "../body.ts";
import { failureResponse } from "../http.ts";
import type { FrontPorts } from "../ports.ts";
import { Problem } from "../problem.ts";
import { isProved, lastZone, mayInvent, mayNotInvent, prove, zoneOf } from "./signing.ts";

const MEDIA_TYPE = "application/dns-message";
const PLAIN_QUESTION = /^[^?#]*\?dns=([\w-]+)$/;
const MAX_BASE64_LENGTH = Math.ceil((limits.dnsMessageBytes * 4) / 3);

/** Nothing but a status: what asks is a program, and a text would be a fifth of all that this costs. */
const REFUSAL = { status: 429, headers: { "retry-after": "1" } } as const;

/**
 * Answers a GET of /dns-query before any router; never throws. What a flood asks is refused at once, for
 * whoever asks beside it waits for each of its questions.
 */
export function answerQuestion(request: Request, ports: FrontPorts): Response | Promise<Response> {
  try {
    const answer = answered(fromQuery(request), ports);
    if (answer instanceof Response) return answer;
    return answer.catch((error) => failureResponse(error, ports));
  } catch (error) {
    return failureResponse(error, ports);
  }
}

/** Answers GET and POST /dns-query. Throws a `Problem` when the request holds no DNS message. */
export async function answerDoh(request: Request, ports: FrontPorts): Promise<Response> {
  return await answered(
    request.method === "POST" ? await posted(request) : fromQuery(request),
    ports,
  );
}

/** @throws Problem */
function answered(message: Uint8Array, ports: FrontPorts): Response | Promise<Response> {
  if (isUpdate(message)) return updated(message, ports);
  const read = readQuery(message);
  if (read.kind === "unanswerable") throw new Problem("bad-request", "dns");
  if (read.kind === "malformed") {
    return dnsResponse(writeError(read.head, rcodes.formatError), null);
  }
  return isTooMuch(read.query, ports) ? new Response(null, REFUSAL) : questioned(read.query, ports);
}

async function updated(message: Uint8Array, ports: FrontPorts): Promise<Response> {
  const { answerDnsUpdate } = await import("./dns-update.ts");
  return dnsResponse(await answerDnsUpdate(message, ports), null);
}

async function questioned(query: Query, ports: FrontPorts): Promise<Response> {
  const answer = await decide(query, ports);
  if (answer === null) return new Response(null, REFUSAL);
  return dnsResponse(writeAnswer(query, answer), freshSeconds(answer));
}

/**
 * True where `decide` would come to nothing, found out by what is in memory: somebody made the name up, and
 * others more this second than their network may have looked up or denied.
 */
function isTooMuch(query: Query, ports: FrontPorts): boolean {
  const zone = lastZone(ports);
  if (zone === null) return false;
  const plan = planAnswer(query, zone);
  const isMadeUp =
    plan.kind === "device"
      ? !ports.names.knows(plan.label)
      : plan.draft.denial?.present === null && !isProved(ports, plan.draft.denial);
  return isMadeUp && mayNotInvent(ports);
}

/**
 * The zone's answer; SERVFAIL when a store or an object is away, so that resolvers ask again. Null for a
 * network that makes up too many names: that costs no error, for a flood makes a great many.
 */
async function decide(query: Query, ports: FrontPorts): Promise<Answer | null> {
  try {
    if (query.edns?.dnssecOk) await withKey(ports);
    const plan = planAnswer(query, await zoneOf(ports));
    const isUnknown = plan.kind !== "draft" && !ports.names.knows(plan.label);
    if (isUnknown && !mayInvent(ports)) return null;
    const draft =
      plan.kind === "draft"
        ? plan.draft
        : plan.complete(await recordsOf(plan.label, wantsSignatures(query), ports));
    if (draft.denial === null) return draft.answer;
    const proof = await prove(ports, draft.denial, () => isUnknown || mayInvent(ports));
    return proof === null ? null : withProof(draft, proof);
  } catch (error) {
    ports.log({ event: "internal-error", code: error instanceof Error ? error.name : "unknown" });
    return empty(rcodes.serverFailure);
  }
}

/** The first who wants signatures makes the zone's key, if there is none. */
async function withKey(ports: FrontPorts): Promise<void> {
  if ((await ports.zoneKeys.shown()).inUse !== null) return;
  const { makeFirstKey } = await import("./keys.ts");
  await makeFirstKey(await ports.whole());
}

/** Who asks for the signatures themselves gets them, whether they say DO or not. */
function wantsSignatures({ edns, questions }: Query): boolean {
  return edns?.dnssecOk === true || questions[0]?.type === types.RRSIG;
}

/** What the device that has `label` publishes. An unknown label creates no object. */
async function recordsOf(label: string, signed: boolean, ports: FrontPorts) {
  const { names, devices } = ports;
  const deviceId = await names.deviceOfLabel(label);
  return deviceId === null ? null : await devices.get(deviceId).records(label, signed);
}

function fromQuery(request: Request): Uint8Array {
  const { url } = request;
  // Parsing costs more than all of the answer, and clients ask in one form (RFC 8484 §4.1.1).
  const plain = PLAIN_QUESTION.exec(url);
  const text = plain === null ? new URL(url).searchParams.get("dns") : (plain[1] as string);
  if (text === null || text === "") throw new Problem("bad-request", "dns");
  if (text.length > MAX_BASE64_LENGTH) throw new Problem("body-too-large", "dns");
  const message = fromBase64url(text);
  if (message === null) throw new Problem("bad-request", "dns");
  return message;
}

async function posted(request: Request): Promise<Uint8Array> {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== MEDIA_TYPE) throw new Problem("media-type");
  const body = await readBounded(request, limits.dnsMessageBytes);
  if (body === null) throw new Problem("body-too-large");
  return body;
}

/** RFC 8484 §5.1: HTTP may keep an answer as long as its shortest-lived record. */
function freshSeconds(answer: Answer): number | null {
  const ttls = [...answer.answers, ...answer.authorities].map((record) => record.ttl);
  return ttls.length === 0 ? null : Math.min(...ttls);
}

function dnsResponse(message: Uint8Array<ArrayBuffer>, fresh: number | null): Response {
  return new Response(message, {
    headers: {
      "content-type": MEDIA_TYPE,
      "content-length": String(message.length),
      "cache-control": fresh === null ? "no-store" : `max-age=${fresh}`,
    },
  });
}
