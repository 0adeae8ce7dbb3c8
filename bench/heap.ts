/**
 * What a worker's code and its objects hold in the runtime: V8's heap and the buffers that it keeps
 * alive, garbage swept away. Asked over the runtime's inspector (the DevTools protocol).
 */

import { WebSocket } from "ws";

const ANSWER_WITHIN_MS = 30_000;
const POKE_EVERY_MS = 50;

interface Usage {
  readonly usedSize: number;
  readonly backingStorageSize: number;
}

export class Heap {
  readonly #socket: WebSocket;
  /** Makes the worker do something: the runtime hears its inspector when it does. */
  readonly #poke: () => Promise<unknown>;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #asked = 0;

  private constructor(socket: WebSocket, poke: () => Promise<unknown>) {
    this.#socket = socket;
    this.#poke = poke;
    socket.on("message", (data) => {
      const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
      const resolve = this.#waiting.get(id ?? 0);
      this.#waiting.delete(id ?? 0);
      resolve?.(result);
    });
  }

  /** @param inspectorPort of a runtime that was started with it */
  static async of(
    worker: string,
    inspectorPort: number,
    poke: () => Promise<unknown>,
  ): Promise<Heap> {
    const socket = new WebSocket(`ws://127.0.0.1:${inspectorPort}/core:user:${worker}`);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    const heap = new Heap(socket, poke);
    await heap.#ask("HeapProfiler.enable");
    return heap;
  }

  /** Bytes that are held. */
  async held(): Promise<number> {
    await this.#ask("HeapProfiler.collectGarbage");
    const usage = (await this.#ask("Runtime.getHeapUsage")) as Usage;
    return usage.usedSize + usage.backingStorageSize;
  }

  close(): void {
    this.#socket.terminate();
  }

  async #ask(method: string): Promise<unknown> {
    const id = ++this.#asked;
    let answered = false;
    const answer = new Promise<unknown>((resolve) => {
      this.#waiting.set(id, (result) => {
        answered = true;
        resolve(result);
      });
    });
    this.#socket.send(JSON.stringify({ id, method, params: {} }));
    const until = performance.now() + ANSWER_WITHIN_MS;
    while (!answered) {
      if (performance.now() > until) throw new Error(`the runtime does not answer ${method}`);
      await this.#poke();
      await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, POKE_EVERY_MS))]);
    }
    return await answer;
  }
}
