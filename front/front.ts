/**
 * A DNS front: UDP and TCP on one port. With a zone and a token it holds the zone in memory and answers
 * at its speed, also while the edge is away; without them it asks the edge and holds nothing.
 */

import { limits } from "../protocol/limits.ts";
import { Answerer } from "./answerer.ts";
import { Budgets, type Rates } from "./budgets.ts";
import { Edge } from "./edge.ts";
import { openFeed } from "./feed.ts";
import { startTcp, type Transport } from "./tcp.ts";
import { startUdp } from "./udp.ts";

export interface FrontOptions extends Rates {
  /** The edge's origin, e.g. `https://latchkey.example`. */
  readonly edge: string;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** The zone to hold and the token that the edge knows; absent: it asks the edge for everything. */
  readonly held?: { readonly zone: string; readonly token: string };
  /** Told of what an operator should know: a sentence. */
  readonly onNews?: (sentence: string) => void;
}

export interface Front extends Transport {
  /** Resolves when the zone was read whole; at once when none is held. */
  readonly ready: Promise<void>;
  /** How many names are held. */
  names(): number;
}

/** Starts the front; the promise resolves when both transports listen on the same port. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const answerer = new Answerer({
    edge: new Edge(options.edge),
    zone: options.held?.zone ?? null,
    now: Date.now,
  });
  const transports = await startBoth(options, answerer);
  const { ready, stop } = hold(options, answerer);
  return {
    port: transports.port,
    ready,
    names: () => answerer.names,
    close: async () => {
      stop();
      await transports.close();
    },
  };
}

/** Keeps the zone up to date. */
function hold(
  { edge, held, onNews = () => undefined }: FrontOptions,
  answerer: Answerer,
): { ready: Promise<void>; stop: () => void } {
  if (held === undefined) return { ready: Promise.resolve(), stop: () => undefined };
  const whole = Promise.withResolvers<void>();
  const feed = openFeed({
    edge,
    token: held.token,
    onAnswer: (answer) => {
      answerer.hear(answer);
      if (answerer.isWhole) whole.resolve();
    },
    onState: (live, reason) => {
      const names = `${answerer.names} names`;
      if (live) onNews(`The zone is here: ${names}; every change comes in.`);
      else
        onNews(`The edge is away${reason === null ? "" : ` (${reason})`}; going on with ${names}.`);
    },
  });
  const first = answerer.refresh();
  const timer = setInterval(() => void answerer.refresh(), limits.dnsFrontRefreshMs);
  return {
    ready: Promise.all([whole.promise, first]).then(() => undefined),
    stop: () => {
      clearInterval(timer);
      feed.close();
    },
  };
}

async function startBoth(options: FrontOptions, answerer: Answerer): Promise<Transport> {
  if (options.port !== 0) return await startPair(options, answerer);
  // A port that is free for UDP may be in use for TCP: then any other will do.
  for (let left = limits.dnsFrontPortTries; ; left--) {
    try {
      return await startPair(options, answerer);
    } catch (error) {
      if (left <= 1) throw error;
    }
  }
}

async function startPair(options: FrontOptions, answerer: Answerer): Promise<Transport> {
  const { host, port } = options;
  const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
  const budgets = new Budgets(options, seed, Date.now);
  const udp = await startUdp(host, port, (message, peer, mayWait) =>
    budgets.take(peer)
      ? answerer.answer(message, budgets.of(peer, true, mayWait))
      : answerer.curt(message),
  );
  try {
    const tcp = await startTcp(host, udp.port, (message, peer) =>
      answerer.answer(message, budgets.of(peer, false)),
    );
    return {
      port: udp.port,
      close: async () => void (await Promise.all([udp.close(), tcp.close()])),
    };
  } catch (error) {
    await udp.close();
    throw error;
  }
}
