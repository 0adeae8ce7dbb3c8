/** One of the other threads of a front (threads.ts): it answers UDP and listens to the first one. */

import { parentPort, workerData } from "node:worker_threads";
import { Answerer } from "./answerer.ts";
import { Budgets } from "./budgets.ts";
import type { Source, Wanted } from "./edge.ts";
import { Sentence } from "./listen.ts";
import type { Errand, FromThread, ToThread } from "./threads.ts";
import { overUdp, startUdp } from "./udp.ts";

const first = parentPort;
if (first === null) throw new Error("front/thread.ts is started by front/threads.ts");
const { host, port, zone, rates, counters } = workerData as Errand;
const say = (said: FromThread) => first.postMessage(said);

/** The first thread, which asks the edge for all. */
class First implements Source {
  readonly #asked = new Map<number, (answer: Buffer | null) => void>();
  #last = 0;

  ask(message: Uint8Array, wanted?: Wanted): Promise<Buffer | null> {
    const id = this.#last++;
    return new Promise((answered) => {
      this.#asked.set(id, answered);
      // A copy: of a part of a larger piece of memory all of that would go along.
      say({ kind: "ask", id, message: Uint8Array.from(message), wanted });
    });
  }

  answer(id: number, answer: Buffer | null): void {
    this.#asked.get(id)?.(answer);
    this.#asked.delete(id);
  }
}

const edge = new First();
const answerer = new Answerer({ edge, zone, now: Date.now });

first.on("message", (told: ToThread) => {
  if (told.kind === "heard") answerer.hear(told.answer);
  else if (told.kind === "kept") answerer.keep(told.wanted, octetsOf(told.answer));
  else if (told.kind === "settle") say({ kind: "settled" });
  else edge.answer(told.id, told.answer === null ? null : octetsOf(told.answer));
});

await startUdp(host, port, overUdp(answerer, new Budgets(rates, counters, Date.now)), true).then(
  () => say({ kind: "listening" }),
  (error) => {
    if (!(error instanceof Sentence)) throw error;
    say({ kind: "refused", sentence: error.message });
  },
);

/** A buffer comes out of another thread as plain octets. */
function octetsOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
