/**
 * A DNS front: UDP and TCP on one port. With a zone and a token it holds the zone in memory and answers
 * at its speed, also while the edge is away; without them it asks the edge and holds nothing. UDP may be
 * answered by several threads; the first of them does all the rest.
 */

import { limits } from "../protocol/limits.ts";
import { Answerer } from "./answerer.ts";
import { Budgets, type Counters, newCounters, type Rates } from "./budgets.ts";
import { Edge } from "./edge.ts";
import { openFeed } from "./feed.ts";
import { startTcp, type Transport } from "./tcp.ts";
import { Threads } from "./threads.ts";
import { canSharePorts, findFree, overUdp, startUdp } from "./udp.ts";

export interface FrontOptions extends Rates {
  /** The edge's origin, e.g. `https://latchkey.example`. */
  readonly edge: string;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** The zone to hold and the token that the edge knows; absent: it asks the edge for everything. */
  readonly held?: { readonly zone: string; readonly token: string };
  /** How many threads answer UDP, each with the zone in memory; absent: this one alone. */
  readonly threads?: number;
  /** Told of what an operator should know: a sentence. */
  readonly onNews?: (sentence: string) => void;
  /** Told why it has closed by itself: a sentence. It answers nothing any more. */
  readonly onEnd?: (sentence: string) => void;
}

export interface Front extends Transport {
  /** How many threads answer UDP: one where the system lets no more share a port. */
  readonly threads: number;
  /** Resolves when the zone was read whole, by every thread; at once when none is held. */
  readonly ready: Promise<void>;
  /** How many names are held. */
  names(): number;
}

/** Starts the front; the promise resolves when both transports listen on the same port. @throws Sentence */
export async function startFront(options: FrontOptions): Promise<Front> {
  const { held, onNews = () => undefined, onEnd = () => undefined } = options;
  const count = await threadsOf(options, onNews);
  const zone = held?.zone ?? null;
  const edge = new Edge(options.edge);
  let threads: Threads | null = null;
  const answerer = new Answerer({
    ...{ edge, zone, now: Date.now },
    onKept: (wanted, answer) =>
      threads?.tell({ kind: "kept", wanted, answer: Uint8Array.from(answer) }),
  });
  const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
  const counters = newCounters(seed);
  const transports = await startBoth(options, answerer, counters, count > 1);
  const { port } = transports;
  let stop: () => void = () => undefined;
  let closed: Promise<unknown> | null = null;
  const close = async () => {
    stop();
    closed ??= Promise.all([transports.close(), threads?.close()]);
    await closed;
  };
  try {
    threads = await Threads.start({
      count: count - 1,
      errand: { host: options.host, port, zone, rates: ratesOf(options), counters },
      ask: async (message, wanted) => {
        if (wanted === undefined) return await edge.ask(message);
        return (await answerer.look(wanted))?.answer ?? null;
      },
      onEnd: (sentence) => void close().then(() => onEnd(sentence)),
    });
  } catch (error) {
    await close();
    throw error;
  }
  const holding = hold(options, answerer, threads, onNews);
  stop = holding.stop;
  return { port, threads: count, ready: holding.ready, names: () => answerer.names, close };
}

async function threadsOf(
  { host, threads = 1 }: FrontOptions,
  onNews: (sentence: string) => void,
): Promise<number> {
  if (threads === 1 || (await canSharePorts(host))) return threads;
  onNews("This system lets no two threads answer on one port: one answers alone.");
  return 1;
}

function ratesOf({ rate, askRate, inventedRate }: FrontOptions): Rates {
  return {
    ...(rate !== undefined && { rate }),
    ...(askRate !== undefined && { askRate }),
    ...(inventedRate !== undefined && { inventedRate }),
  };
}

/** Keeps the zone up to date, here and in the other threads. */
function hold(
  { edge, held }: FrontOptions,
  answerer: Answerer,
  threads: Threads,
  onNews: (sentence: string) => void,
): { ready: Promise<void>; stop: () => void } {
  if (held === undefined) return { ready: Promise.resolve(), stop: () => undefined };
  const whole = Promise.withResolvers<void>();
  /** What was said last: sentences come in order, also those that wait for the threads. */
  let said = Promise.resolve();
  const feed = openFeed({
    edge,
    token: held.token,
    onAnswer: (answer) => {
      answerer.hear(answer);
      threads.tell({ kind: "heard", answer });
      if (answerer.isWhole) whole.resolve();
    },
    onState: (live, reason) => {
      const names = `${answerer.names} names`;
      const sentence = live
        ? `The zone is here: ${names}; every change comes in.`
        : `The edge is away${reason === null ? "" : ` (${reason})`}; going on with ${names}.`;
      const settled = live ? threads.settled() : undefined;
      said = said.then(() => settled).then(() => onNews(sentence));
    },
  });
  const first = answerer.refresh();
  const timer = setInterval(() => void answerer.refresh(), limits.dnsFrontRefreshMs);
  return {
    ready: Promise.all([whole.promise, first]).then(() => threads.settled()),
    stop: () => {
      clearInterval(timer);
      feed.close();
    },
  };
}

async function startBoth(
  options: FrontOptions,
  answerer: Answerer,
  counters: Counters,
  isShared: boolean,
): Promise<Transport> {
  const budgets = new Budgets(options, counters, Date.now);
  const start = () => startPair(options, answerer, budgets, isShared);
  if (options.port !== 0) return await start();
  // A port that is free for TCP may be in use for UDP: then any other will do.
  for (let left = limits.dnsFrontPortTries; ; left--) {
    try {
      return await start();
    } catch (error) {
      if (left <= 1) throw error;
    }
  }
}

/**
 * TCP comes first: it shares its port with nobody, so of two fronts that start at a time on one port one
 * is told so, also where both would share it for UDP.
 */
async function startPair(
  { host, port }: FrontOptions,
  answerer: Answerer,
  budgets: Budgets,
  isShared: boolean,
): Promise<Transport> {
  const tcp = await startTcp(host, port, (message, peer) =>
    answerer.answer(message, budgets.of(peer, false)),
  );
  try {
    if (isShared) await findFree(host, tcp.port);
    const udp = await startUdp(host, tcp.port, overUdp(answerer, budgets), isShared);
    return {
      port: udp.port,
      close: async () => void (await Promise.all([udp.close(), tcp.close()])),
    };
  } catch (error) {
    await tcp.close();
    throw error;
  }
}
