/** The bulk lane of a simulated world: HTTP requests beside the frames, some of which break in the middle. */

import type { BulkLane, RestEvents } from "../../agent/bulk.ts";
import { agentBulkPath, bulkOffsetHeader } from "../../protocol/agent.ts";
import { base64url } from "../../protocol/tokens.ts";
import type { Chance, World } from "./link-world.ts";

const URL = `http://cloud.test${agentBulkPath}dev`;

type Told = (what: "segment" | "rest" | "broken") => void;

export class Lane implements BulkLane {
  readonly #world: () => World;
  readonly #chance: Chance;
  readonly #told: Told;

  constructor(world: () => World, chance: Chance, told: Told) {
    this.#world = world;
    this.#chance = chance;
    this.#told = told;
  }

  /** After how many pieces a request breaks; most do not. */
  #breakAfter(): number {
    return this.#chance.is(0.15) ? this.#chance.below(4) : Number.POSITIVE_INFINITY;
  }

  readonly send: BulkLane["send"] = async (token, offset, body, signal) => {
    const pieces = body[Symbol.asyncIterator]();
    const breakAfter = this.#breakAfter();
    let given = 0;
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          signal.addEventListener("abort", () => controller.error(new Error("given up")));
        },
        pull: async (controller) => {
          if (given++ >= breakAfter) {
            this.#told("broken");
            controller.error(new Error("the line broke"));
            return;
          }
          const { done, value } = await pieces.next();
          if (signal.aborted) return;
          if (done) controller.close();
          else controller.enqueue(value.slice());
        },
        cancel: () => void pieces.return?.(),
      },
      { highWaterMark: 0 },
    );
    const headers = { ...bearer(token), [bulkOffsetHeader]: String(offset) };
    const init = { method: "POST", headers, body: stream, duplex: "half" as const };
    const { status } = await this.#world().link.bulk(new Request(URL, init));
    if (status !== 204) throw new Error(`the edge answered ${status}`);
    this.#told("segment");
  };

  readonly fetch: BulkLane["fetch"] = (token, events) => {
    const rest = { over: false, resume: (): void => undefined };
    void this.#fetch(token, events, rest);
    return {
      resume: () => rest.resume(),
      abort: () => {
        rest.over = true;
        rest.resume();
      },
    };
  };

  async #fetch(
    token: Uint8Array,
    events: RestEvents,
    rest: { over: boolean; resume: () => void },
  ): Promise<void> {
    const breakAfter = this.#breakAfter();
    const answer = await this.#world().link.bulk(new Request(URL, { headers: bearer(token) }));
    const reader = answer.body?.getReader();
    try {
      if (rest.over) return void (await reader?.cancel());
      if (answer.status !== 200 || reader === undefined) return events.failed(true);
      events.begun(Number(answer.headers.get(bulkOffsetHeader)));
      for (let pieces = 0; ; pieces++) {
        if (pieces >= breakAfter) throw new Error("the line broke");
        const { done, value } = await reader.read();
        if (rest.over) return void (await reader.cancel());
        if (done) break;
        if (!events.data(value)) await new Promise<void>((go) => (rest.resume = go));
      }
      this.#told("rest");
      events.ended();
    } catch (error) {
      this.#told("broken");
      await reader?.cancel(error).catch(() => undefined);
      if (!rest.over) events.failed(false);
    }
  }

  close(): void {
    // A request that is under way goes on without the connection.
  }
}

const bearer = (token: Uint8Array) => ({ authorization: `Bearer ${base64url(token)}` });
