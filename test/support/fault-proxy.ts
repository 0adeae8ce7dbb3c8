/**
 * A line between two ends of TCP that a test cuts, silences, delays or throttles. Bytes are never
 * reordered, changed or invented; what goes wrong is what a network does.
 */

import { once } from "node:events";
import {
  type AddressInfo,
  createServer,
  connect as dial,
  type Server,
  type Socket,
} from "node:net";

/** How a line ends. Where both ends are told, it is visible; `silence` and the half cuts are not. */
export type Fault =
  | "reset" // both ends get RST
  | "finish" // both ends get FIN
  | "reset near" // the end that dialed gets RST, the other hears nothing more
  | "reset far" // the other way round
  | "silence"; // neither is told, and nothing passes

export interface Weather {
  /** Every byte comes this much later, in ms. */
  readonly delayMs: number;
  /** At most so many bytes a second, each way; null: as they come. */
  readonly bytesPerSecond: number | null;
}

const FAIR: Weather = { delayMs: 0, bytesPerSecond: null };
/** What may wait in one direction before its sender is held back, in bytes. */
const QUEUE_BYTES = 64 * 1024;
const SLICES_PER_SECOND = 100;

/** One direction of a line: bytes that wait for their time, in order. */
class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #weather: Weather;
  #queue: { chunk: Buffer; at: number }[] = [];
  #queued = 0;
  #timer: NodeJS.Timeout | null = null;
  #silent = false;
  #ended = false;

  constructor(from: Socket, to: Socket, weather: Weather, onBytes: (count: number) => void) {
    this.#from = from;
    this.#to = to;
    this.#weather = weather;
    from.on("data", (chunk: Buffer) => {
      if (this.#silent) return;
      this.#push(chunk);
      onBytes(chunk.byteLength);
    });
    from.on("end", () => {
      this.#ended = true;
      if (this.#queued === 0 && !this.#silent) to.end();
    });
    to.on("drain", () => this.#resume());
  }

  /** Swallows what waits and whatever comes. */
  silence(): void {
    this.#silent = true;
    this.#stop();
    this.#from.resume();
  }

  close(): void {
    this.#stop();
  }

  #push(chunk: Buffer): void {
    const { delayMs, bytesPerSecond } = this.#weather;
    if (delayMs === 0 && bytesPerSecond === null) {
      if (!this.#to.destroyed && !this.#to.write(chunk)) this.#from.pause();
      return;
    }
    this.#queue.push({ chunk, at: performance.now() + delayMs });
    this.#queued += chunk.byteLength;
    if (this.#queued > QUEUE_BYTES) this.#from.pause();
    this.#plan();
  }

  #plan(): void {
    const first = this.#queue[0];
    if (first === undefined || this.#timer !== null) return;
    const slice = this.#weather.bytesPerSecond === null ? 0 : 1000 / SLICES_PER_SECOND;
    const wait = Math.max(slice, first.at - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#release();
      this.#plan();
    }, wait);
  }

  #release(): void {
    const { bytesPerSecond } = this.#weather;
    let left = bytesPerSecond === null ? Infinity : Math.ceil(bytesPerSecond / SLICES_PER_SECOND);
    while (left > 0) {
      const first = this.#queue[0];
      if (first === undefined || first.at > performance.now()) break;
      const part = first.chunk.subarray(0, left);
      if (part.byteLength === first.chunk.byteLength) this.#queue.shift();
      else this.#queue[0] = { chunk: first.chunk.subarray(part.byteLength), at: first.at };
      left -= part.byteLength;
      this.#queued -= part.byteLength;
      if (!this.#to.destroyed) this.#to.write(part);
    }
    this.#resume();
    if (this.#ended && this.#queued === 0) this.#to.end();
  }

  #resume(): void {
    if (this.#queued <= QUEUE_BYTES && !this.#to.writableNeedDrain) this.#from.resume();
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#queue = [];
    this.#queued = 0;
  }
}

/** One connection through the proxy: `near` dialed it, `far` is what it leads to. */
export class Line {
  readonly near: Socket;
  readonly far: Socket;
  /** Bytes that came in, both ways. */
  bytes = 0;
  fault: Fault | null = null;
  readonly #lanes: readonly Lane[];
  #atBytes: { count: number; act: () => void } | null = null;

  constructor(near: Socket, far: Socket, weather: Weather) {
    this.near = near;
    this.far = far;
    const count = (bytes: number) => this.#passed(bytes);
    this.#lanes = [new Lane(near, far, weather, count), new Lane(far, near, weather, count)];
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.setNoDelay(true);
      one.on("error", () => {}); // a close follows
      one.on("close", () => {
        if (this.fault === null) other.destroy();
      });
    }
  }

  /** Calls `act` once when so many bytes more have come in: a moment that a seed can choose. */
  after(count: number, act: () => void): void {
    this.#atBytes = { count: this.bytes + count, act };
  }

  break(fault: Fault): void {
    if (this.fault !== null) return;
    this.fault = fault;
    for (const lane of this.#lanes) lane.silence();
    const near = fault === "reset" || fault === "reset near";
    const far = fault === "reset" || fault === "reset far";
    if (near) this.near.resetAndDestroy();
    if (far) this.far.resetAndDestroy();
    if (fault !== "finish") return;
    this.near.end();
    this.far.end();
  }

  /** Lets go of both ends, however the line ended. */
  drop(): void {
    for (const lane of this.#lanes) lane.close();
    this.fault ??= "reset";
    this.near.destroy();
    this.far.destroy();
  }

  #passed(bytes: number): void {
    this.bytes += bytes;
    if (this.#atBytes === null || this.bytes < this.#atBytes.count) return;
    const { act } = this.#atBytes;
    this.#atBytes = null;
    act();
  }
}

export class FaultProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #lines = new Set<Line>();
  /** Refuses whoever dials while true. */
  down = false;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /**
   * Listens on loopback and leads to the port that `target` says.
   * @param port where to listen; a free one when absent
   * @param onLine told of each new line before a byte passes; says its weather
   */
  static async start(options: {
    readonly port?: number;
    readonly target: () => number;
    readonly onLine?: (line: Line) => void;
    readonly weather?: () => Weather;
  }): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    server.listen(options.port ?? 0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new FaultProxy(server);
    server.on("connection", (near) => {
      if (proxy.down) {
        near.resetAndDestroy();
        return;
      }
      const far = dial({ host: "127.0.0.1", port: options.target(), allowHalfOpen: true });
      const line = new Line(near, far, options.weather?.() ?? FAIR);
      proxy.#lines.add(line);
      let open = 2;
      for (const end of [near, far]) {
        end.on("close", () => {
          if (--open === 0) proxy.#lines.delete(line);
        });
      }
      options.onLine?.(line);
      near.resume();
    });
    return proxy;
  }

  /** Lines with an end that is still open. */
  get lines(): readonly Line[] {
    return [...this.#lines];
  }

  async close(): Promise<void> {
    for (const line of this.#lines) line.drop();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }
}
