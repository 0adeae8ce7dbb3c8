/**
 * The other threads of a front. Each answers UDP on the same port from a memory of its own. They hear in
 * order what the first one hears from the edge, and keep what it keeps; what only the edge can say they ask
 * the first one. So the edge sees one front, however many threads there are.
 */

import { Worker } from "node:worker_threads";
import type { FeedAnswer } from "../protocol/feed.ts";
import type { Counters, Rates } from "./budgets.ts";
import type { Wanted } from "./edge.ts";
import { Sentence } from "./listen.ts";

/** What a thread is started with. */
export interface Errand {
  readonly host: string;
  readonly port: number;
  /** The zone to hold; null: none. */
  readonly zone: string | null;
  readonly rates: Rates;
  readonly counters: Counters;
}

/** What a thread is told, in order. */
export type ToThread =
  | { readonly kind: "heard"; readonly answer: FeedAnswer }
  | { readonly kind: "kept"; readonly wanted: Wanted; readonly answer: Uint8Array }
  | { readonly kind: "answer"; readonly id: number; readonly answer: Uint8Array | null }
  /** To be said back when all before it is done. */
  | { readonly kind: "settle" };

/** What a thread says. */
export type FromThread =
  | { readonly kind: "listening" }
  | { readonly kind: "refused"; readonly sentence: string }
  /** @see Source.ask */
  | {
      readonly kind: "ask";
      readonly id: number;
      readonly message: Uint8Array;
      readonly wanted: Wanted | undefined;
    }
  | { readonly kind: "settled" };

export interface ThreadsOptions {
  /** How many. */
  readonly count: number;
  readonly errand: Errand;
  /** What a thread asks. Never rejects. */
  readonly ask: (message: Uint8Array, wanted: Wanted | undefined) => Promise<Buffer | null>;
  /** Told once when a thread has ended that nobody ended: a sentence. */
  readonly onEnd: (sentence: string) => void;
}

export class Threads {
  readonly #threads: readonly Thread[];

  private constructor(threads: readonly Thread[]) {
    this.#threads = threads;
  }

  /** Starts them; resolves when all listen. @throws Sentence */
  static async start({ count, errand, ask, onEnd }: ThreadsOptions): Promise<Threads> {
    const made = Array.from({ length: count }, () => new Thread(errand, ask));
    const threads = new Threads(made);
    try {
      await Promise.all(made.map(({ listening }) => listening));
    } catch (error) {
      await threads.close();
      throw error;
    }
    void Promise.race(made.map(({ ended }) => ended)).then(
      (why) => why !== null && onEnd(`A thread of this name server ended${why}.`),
    );
    return threads;
  }

  /** Tells every thread. */
  tell(said: ToThread): void {
    for (const thread of this.#threads) thread.tell(said);
  }

  /** Resolves when every thread has done all that it was told until now. */
  async settled(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.settled()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

class Thread {
  /** Rejects with a Sentence when it cannot. */
  readonly listening: Promise<void>;
  /** Resolves when it has ended: with why, as it follows a sentence; null when it was closed. */
  readonly ended: Promise<string | null>;
  readonly #worker: Worker;
  readonly #listens = Promise.withResolvers<void>();
  readonly #settling: (() => void)[] = [];
  #isClosed = false;

  constructor(errand: Errand, ask: ThreadsOptions["ask"]) {
    this.listening = this.#listens.promise;
    this.#worker = new Worker(new URL("./thread.ts", import.meta.url), { workerData: errand });
    let why = "";
    this.#worker.on("error", (error) => {
      why = `: ${error instanceof Error ? error.message : error}`;
    });
    this.#worker.on("message", (said: FromThread) => this.#hear(said, ask));
    this.ended = new Promise((ended) => {
      this.#worker.on("exit", () => {
        this.#listens.reject(new Sentence(`A thread of this name server did not start${why}.`));
        ended(this.#isClosed ? null : why);
      });
    });
  }

  tell(said: ToThread): void {
    this.#worker.postMessage(said);
  }

  settled(): Promise<void> {
    return new Promise((done) => {
      this.#settling.push(done);
      this.tell({ kind: "settle" });
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker.terminate();
  }

  #hear(said: FromThread, ask: ThreadsOptions["ask"]): void {
    if (said.kind === "listening") this.#listens.resolve();
    else if (said.kind === "refused") this.#listens.reject(new Sentence(said.sentence));
    else if (said.kind === "settled") this.#settling.shift()?.();
    else {
      void ask(said.message, said.wanted).then((answer) => {
        // A copy: of a part of a larger piece of memory all of that would go along.
        const octets = answer === null ? null : Uint8Array.from(answer);
        this.tell({ kind: "answer", id: said.id, answer: octets });
      });
    }
  }
}
