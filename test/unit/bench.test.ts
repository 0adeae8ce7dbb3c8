/** What the bench reads and writes: figures from times, judgements, tables, and its place in the docs. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { framesOnly, Uncredited } from "../../bench/frames.ts";
import { summary } from "../../bench/load.ts";
import { smoke, whole } from "../../bench/plan.ts";
import { cpuMsOf, maxOpenFiles, memoryOf, parseStat } from "../../bench/processes.ts";
import {
  beginMarker,
  endMarker,
  figures,
  judged,
  median,
  Section,
  withFigures,
} from "../../bench/report.ts";
import {
  capability,
  decodeMessage,
  encodeMessage,
  type Frame,
  frameType,
  helloPayload,
  readHello,
  u32,
} from "../../protocol/link/frames.ts";

describe("figures from times", () => {
  it("are requests a second, the middle and the last hundredth, whatever the order", () => {
    const times = Array.from({ length: 100 }, (_, at) => 100 - at);
    expect(summary(times, 2)).toEqual({ requestsPerSecond: 50, p50Ms: 50, p99Ms: 99 });
    expect(times[0]).toBe(100);
  });

  it("of several runs the one in the middle stands", () => {
    const runs = [{ speed: 9 }, { speed: 1 }, { speed: 5 }];
    expect(median(runs, ({ speed }) => speed)).toEqual({ speed: 5 });
    expect(median([2, 1], (speed) => speed)).toBe(1);
    expect(() => median([], Number)).toThrow("nothing was measured");
  });
});

describe("a judgement", () => {
  it("says the ratio, its limit, and whether it is kept; the limit itself keeps it", () => {
    expect(judged(0.7, { atLeast: 0.65 }, "ssh -R")).toBe("0.70 of ssh -R (≥ 0.65, kept)");
    expect(judged(0.65, { atLeast: 0.65 }, "ssh -R")).toContain("kept");
    expect(judged(0.6, { atLeast: 0.65 }, "ssh -R")).toContain("missed");
    expect(judged(1.5, { atMost: 1.5 }, "ssh -R")).toBe("1.50 of ssh -R (≤ 1.5, kept)");
    expect(judged(1.6, { atMost: 1.5 }, "ssh -R")).toContain("missed");
  });

  it("of a peer that is not here is none", () => {
    for (const none of [null, Number.NaN]) {
      expect(judged(none, { atLeast: 1 }, "nginx")).toBe("nginx not measured (≥ 1)");
    }
  });
});

describe("a table", () => {
  const section = () => {
    const made = new Section("Speed", ["MB/s", "limit"]);
    made.row("Link", "5", "kept");
    made.missing("nginx", "apt-get install nginx-light");
    return made;
  };

  it("is Markdown as the formatter would have it, with a row for what was not measured", () => {
    expect(section().toString().split("\n")).toEqual([
      "| lane  | MB/s                                       | limit |",
      "| ----- | ------------------------------------------ | ----- |",
      "| Link  | 5                                          | kept  |",
      "| nginx | not measured (apt-get install nginx-light) |       |",
    ]);
    expect(section().measured).toBe(1);
  });

  it("takes no cell that has no column", () => {
    expect(() => section().row("Link", "1", "2", "3")).toThrow("more cells");
  });

  it("stands in the document under the run's date, command and cores", () => {
    const run = { date: "2026-11-22", command: "npm run bench", cores: 2, seconds: 90 };
    const text = figures([section()], run);
    expect(text).toContain("One run on 2026-11-22: `npm run bench`, 2 cores, 1.5 minutes.");
    expect(text).toContain("### Speed\n\n| lane ");
  });
});

describe("the document", () => {
  const document = `before\n\n${beginMarker}\n\nold\n\n${endMarker}\n\nafter\n`;

  it("gets new figures between its markers, and keeps every other word", () => {
    const written = withFigures(document, "new $& figures");
    expect(written).toBe(document.replace("old", () => "new $& figures"));
    expect(withFigures(written, "old")).toBe(document);
  });

  it("is refused without markers", () => {
    expect(() => withFigures("nothing", "new")).toThrow("no place");
    expect(() => withFigures(`${endMarker}${beginMarker}`, "new")).toThrow("no place");
  });

  it("docs/performance.md has a place for them", () => {
    const file = join(import.meta.dirname, "../../docs/performance.md");
    expect(withFigures(readFileSync(file, "utf8"), "new")).toContain("new");
  });
});

describe("what a process costs", () => {
  it("is read behind its name, which may hold anything", () => {
    const rest = "R 7 1 1 0 -1 4194304 97 0 0 0 12 5 0 0 20 0 1 0 3630602 3133440 366";
    expect(parseStat(`5478 (a) b (c) ${rest}`)).toEqual({ name: "a) b (c", parent: 7, cpuMs: 170 });
  });

  it.runIf(process.platform === "linux")("is told of this one", () => {
    expect(memoryOf(process.pid)).toBeGreaterThan(10 * 2 ** 20);
    expect(cpuMsOf(process.pid)).toBeGreaterThan(0);
    expect(cpuMsOf(2 ** 30)).toBeNaN();
  });
});

it("how many files may be open is read from the limits of a process", () => {
  const rest = "Max cpu time  unlimited  unlimited  seconds";
  expect(maxOpenFiles(`${rest}\nMax open files            20000     65536    files\n`)).toBe(
    20_000,
  );
  expect(maxOpenFiles(`${rest}\nMax open files            unlimited unlimited files\n`)).toBe(
    Infinity,
  );
});

describe("the box without the bulk lane", () => {
  const message = (...frames: (Partial<Frame> & Pick<Frame, "type" | "payload">)[]) =>
    encodeMessage(frames.map((frame) => ({ end: false, stream: 0, ...frame })));
  const body = (stream: number, bytes: number) =>
    message({ type: frameType.data, stream, payload: [new Uint8Array(bytes)] });
  const credit = (stream: number, bytes: number) =>
    message({ type: frameType.credit, stream, payload: [u32(bytes)] });

  it("leaves nothing but WebSockets in a HELLO, and touches nothing else", () => {
    const hello = message({ type: frameType.hello, payload: [helloPayload(7)] });
    const before = hello.slice();
    framesOnly(hello);
    decodeMessage(hello, (_type, _end, _stream, payload) => {
      expect(readHello(payload).capabilities).toBe(capability.webSocket);
      expect(readHello(payload).session).toBe(7);
      return null;
    });
    expect(hello.filter((byte, at) => byte !== before[at])).toHaveLength(1);
    const other = body(1, 64).fill(0xff, 12);
    const same = other.slice();
    framesOnly(other);
    expect(other).toEqual(same);
  });

  it("counts what one stream has sent and got no credit for, and begins anew when asked", () => {
    const uncredited = new Uncredited();
    uncredited.sent(body(1, 100));
    uncredited.came(credit(1, 60));
    uncredited.came(credit(0, 1000)); // the connection's
    uncredited.sent(body(1, 50));
    uncredited.sent(body(3, 70));
    expect(uncredited.most()).toBe(100);
    expect(uncredited.most()).toBe(0);
    uncredited.sent(body(3, 1));
    expect(uncredited.most()).toBe(1);
  });
});

it("the short run has every lane of the whole one", () => {
  expect(Object.keys(smoke)).toEqual(Object.keys(whole));
  for (const [name, value] of Object.entries(smoke)) {
    expect(value, name).toBeLessThanOrEqual(whole[name as keyof typeof whole]);
  }
});
