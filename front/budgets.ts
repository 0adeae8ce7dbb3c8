/**
 * How much is answered in full. A network has its share of everything. Of what anybody can make up
 * without end, and the edge has to deny with a signature, there is a bound for all networks together,
 * for sources over UDP can be made up too: whoever is beyond it is sent to TCP, where they cannot. All of
 * it is counted for all threads of a front together.
 */

import { Budget, Floods, floodCounters } from "../protocol/floods.ts";
import { limits } from "../protocol/limits.ts";
import type { Manner } from "./answerer.ts";

export interface Rates {
  /** Questions a second of one network; absent: the limit by this name. */
  readonly rate?: number;
  /** Of those that the edge is asked about; absent: the limit by this name. */
  readonly askRate?: number;
  /** Of names that are not there, for all networks together; absent: the limit by this name. */
  readonly inventedRate?: number;
}

/** What the threads of a front count together. It can be handed to another thread as it is. */
export interface Counters {
  readonly seed: number;
  /** By network: questions; those that the edge is asked about. */
  readonly questions: Float64Array;
  readonly asks: Float64Array;
  /** A turn each for what nobody has asked before, for the others, and for who comes by TCP. */
  readonly fresh: Float64Array;
  readonly again: Float64Array;
  readonly byTcp: Float64Array;
  /** How many questions over UDP wait for the edge. */
  readonly waiting: Int32Array;
}

/** @param seed random */
export function newCounters(seed: number): Counters {
  const networks = () => floodCounters(undefined, true);
  const one = () => floodCounters(1, true);
  return {
    ...{ seed, questions: networks(), asks: networks() },
    ...{ fresh: one(), again: one(), byTcp: one() },
    waiting: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
  };
}

export class Budgets {
  readonly #now: () => number;
  readonly #questions: Floods;
  readonly #asks: Floods;
  readonly #fresh: Budget;
  readonly #again: Budget;
  readonly #byTcp: Budget;
  readonly #waiting: Int32Array;

  constructor({ rate, askRate, inventedRate }: Rates, counters: Counters, now: () => number) {
    const { seed, questions, asks, fresh, again, byTcp, waiting } = counters;
    const most = inventedRate ?? limits.dnsFrontInventedRate;
    this.#now = now;
    this.#questions = new Floods(rate ?? limits.dnsFrontRate, seed, questions);
    this.#asks = new Floods(askRate ?? limits.dnsFrontAskRate, seed, asks);
    this.#fresh = new Budget(most, fresh);
    this.#again = new Budget(most, again);
    this.#byTcp = new Budget(most, byTcp);
    this.#waiting = waiting;
  }

  /** Counts a question over UDP; false when its network has used its second up. */
  take(peer: string): boolean {
    return this.#questions.take(peer, this.#now());
  }

  /** How a question came, and what it may cost. */
  of(peer: string, udp: boolean): Manner {
    return new Coming(this, peer, udp);
  }

  mayAsk(peer: string, udp: boolean): boolean {
    return (!udp || this.#mayWait) && this.#asks.take(peer, this.#now());
  }

  mayInvent(peer: string, udp: boolean, isAgain: boolean): boolean {
    const turn = udp ? (isAgain ? this.#again : this.#fresh) : this.#byTcp;
    return this.mayAsk(peer, udp) && turn.take(this.#now());
  }

  /** Counts a question over UDP that waits for the edge, until its answer is here. */
  async wait<T>(answer: Promise<T>): Promise<T> {
    Atomics.add(this.#waiting, 0, 1);
    try {
      return await answer;
    } finally {
      Atomics.sub(this.#waiting, 0, 1);
    }
  }

  get #mayWait(): boolean {
    return Atomics.load(this.#waiting, 0) < limits.dnsFrontInFlight;
  }
}

/** One is made for each message: it holds what it is told, and makes nothing else. */
class Coming implements Manner {
  readonly udp: boolean;
  readonly #budgets: Budgets;
  readonly #peer: string;

  constructor(budgets: Budgets, peer: string, udp: boolean) {
    this.#budgets = budgets;
    this.#peer = peer;
    this.udp = udp;
  }

  mayAsk(): boolean {
    return this.#budgets.mayAsk(this.#peer, this.udp);
  }

  mayInvent(isAgain: boolean): boolean {
    return this.#budgets.mayInvent(this.#peer, this.udp, isAgain);
  }
}
