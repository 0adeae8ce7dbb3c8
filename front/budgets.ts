/**
 * How much is answered in full. A network has its share of everything. Of what anybody can make up
 * without end, and the edge has to deny with a signature, there is a bound for all networks together,
 * for sources over UDP can be made up too: whoever is beyond it is sent to TCP, where they cannot.
 */

import { Budget, Floods } from "../protocol/floods.ts";
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

export class Budgets {
  readonly #now: () => number;
  readonly #questions: Floods;
  readonly #asks: Floods;
  /** A turn each for what nobody has asked before, for the others, and for who comes by TCP. */
  readonly #fresh: Budget;
  readonly #again: Budget;
  readonly #byTcp: Budget;

  /** @param seed random */
  constructor({ rate, askRate, inventedRate }: Rates, seed: number, now: () => number) {
    this.#now = now;
    this.#questions = new Floods(rate ?? limits.dnsFrontRate, seed);
    this.#asks = new Floods(askRate ?? limits.dnsFrontAskRate, seed);
    const most = inventedRate ?? limits.dnsFrontInventedRate;
    [this.#fresh, this.#again, this.#byTcp] = [
      new Budget(most),
      new Budget(most),
      new Budget(most),
    ];
  }

  /** Counts a question over UDP; false when its network has used its second up. */
  take(peer: string): boolean {
    return this.#questions.take(peer, this.#now());
  }

  /**
   * How a question came, and what it may cost.
   * @param mayWait false: nothing that only the edge can say
   */
  of(peer: string, udp: boolean, mayWait = true): Manner {
    const mayAsk = () => mayWait && this.#asks.take(peer, this.#now());
    return {
      udp,
      mayAsk,
      mayInvent: (again) => {
        const turn = udp ? (again ? this.#again : this.#fresh) : this.#byTcp;
        return mayAsk() && turn.take(this.#now());
      },
    };
  }
}
