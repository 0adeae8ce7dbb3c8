/**
 * `npm run bench`: what each part costs, as ratios against a stated peer in the same run. Absolute
 * figures belong to the machine; quote the ratios.
 */

import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Demo, startDemo } from "../scripts/local/demo.ts";
import { type Edge, startEdge } from "../scripts/local/edge.ts";
import { startMailbox } from "../scripts/local/mailbox.ts";
import { startBaseline } from "./baseline-edge.ts";
import { download, type Load, type Measured, measure, upload } from "./load.ts";
import { startOrigin } from "./origin.ts";
import { hasSshd, startSshTunnel } from "./ssh.ts";
import { measureStartup } from "./startup.ts";

const SECONDS = 6;
const ROUNDS = 5;
const BULK_BYTES = 200_000_000;
const BULK_RUNS = 3;
const closing: (() => Promise<unknown>)[] = [];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function row(name: string, measured: Measured, peer: Measured, peerName: string): void {
  const ratio = measured.requestsPerSecond / peer.requestsPerSecond;
  const latency = measured.p50Ms / peer.p50Ms;
  console.log(
    `${name.padEnd(34)} ${measured.requestsPerSecond.toFixed(0).padStart(7)}/s` +
      `  p50 ${measured.p50Ms.toFixed(2).padStart(6)} ms  p99 ${measured.p99Ms.toFixed(2).padStart(7)} ms` +
      `   ${ratio.toFixed(2)} of ${peerName} (p50 ${latency.toFixed(2)}×)`,
  );
}

interface Served {
  readonly edge: Edge;
  readonly demo: Demo;
  readonly session: string;
}

/** The edge with a demo device in front of `originPort`, its door open to everyone. */
async function serve(data: string, originPort: number): Promise<Served> {
  const mailbox = await startMailbox();
  closing.push(() => mailbox.close());
  const edge = await startEdge({
    data: join(data, "edge"),
    port: await freePort(),
    // The load comes from one network: with the budgets of one visitor it would be refused.
    variables: { SMTP_URL: mailbox.smtpUrl, LINK_BUDGETS: "requests=1M visitor-requests=1M" },
  });
  closing.push(() => edge.close());
  const demo = await startDemo({
    edge,
    mailbox,
    folder: join(data, "demo"),
    serve: `http://127.0.0.1:${originPort}`,
  });
  closing.push(() => demo.close());
  const ask = async (method: string, path: string, body: unknown, token?: string) => {
    const answer = await fetch(`${edge.origin}/api${path}`, {
      method,
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    return (await answer.json()) as { token: string };
  };
  const { email: address, password } = demo.account;
  const { token } = await ask("POST", "/sessions", { address, password });
  await ask("PUT", `/devices/${demo.device.id}/access`, { mode: "everyone" }, token);
  return { edge, demo, session: token };
}

/** What stands for a lane: the run in the middle, by requests per second. */
const middle = (runs: readonly Measured[]): Measured =>
  [...runs].sort((a, b) => a.requestsPerSecond - b.requestsPerSecond)[
    Math.floor(runs.length / 2)
  ] as Measured;

/** Measures lanes in turn, round by round, so that what else the machine does weighs on all of them. */
async function inTurn(lanes: readonly Load[]): Promise<Measured[]> {
  const runs = lanes.map((): Measured[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, lane] of lanes.entries()) runs[index]?.push(await measure(lane));
  }
  return runs.map(middle);
}

async function requests({ edge, demo, session }: Served, baseline: string): Promise<void> {
  const load = { origin: edge.origin, connections: 16, seconds: SECONDS / ROUNDS };
  const bearer = { authorization: `Bearer ${session}` };
  const basic = Buffer.from(`${demo.device.updateUser}:${demo.device.updatePassword}`);
  const named: [name: string, lane: Load][] = [
    ["bare Hono route (peer)", { ...load, origin: baseline, path: "/plain" }],
    ["route of ours, no session", { ...load, path: "/healthz" }],
    // The front page looks at the session, finds a person, and sends them on: the check and nothing else.
    ["signed-in request", { ...load, path: "/", headers: bearer, status: 303 }],
    ["signed-in request + session list", { ...load, path: "/api/sessions", headers: bearer }],
    [
      "DDNS nochg",
      {
        ...load,
        path: `/nic/update?hostname=${demo.device.host}&myip=127.0.0.1`,
        headers: { authorization: `Basic ${basic.toString("base64")}`, "user-agent": "bench/1" },
      },
    ],
    ["DNS answer (DoH)", { ...load, path: `/dns-query?dns=${query(demo.device.host)}` }],
  ];
  const measured = await inTurn(named.map(([, lane]) => lane));
  const plain = measured[0] as Measured;
  for (const [index, [name]] of named.entries()) {
    row(name, measured[index] as Measured, plain, index === 0 ? "itself" : "bare");
  }
}

async function door({ edge, demo }: Served, baseline: string): Promise<void> {
  for (const connections of [1, 16, 64]) {
    const load = { connections, seconds: SECONDS };
    const alone = await measure({ ...load, origin: baseline, path: "/object" });
    row(`object alone, c=${connections} (peer)`, alone, alone, "itself");
    const link = await measure({
      ...load,
      origin: edge.origin,
      path: "/small",
      headers: { host: new URL(demo.device.link).host },
    });
    row(`Link small request, c=${connections}`, link, alone, "object alone");
  }
}

async function bulk({ edge, demo }: Served, originPort: number): Promise<void> {
  const host = { host: new URL(demo.device.link).host };
  const lanes = [
    { name: "origin itself (peer)", origin: `http://127.0.0.1:${originPort}`, headers: {} },
    { name: "Link", origin: edge.origin, headers: host },
  ];
  if (hasSshd) {
    const tunnel = await startSshTunnel(originPort, await freePort());
    closing.push(() => tunnel.close());
    lanes.push({ name: "ssh -R", origin: tunnel.origin, headers: {} });
  } else {
    console.log("ssh -R: not measured (apt-get install openssh-server)");
  }
  for (const way of ["download", "upload"] as const) {
    const speeds = new Map<string, number>();
    for (const lane of lanes) {
      const runs: number[] = [];
      for (let run = 0; run < BULK_RUNS; run++) {
        const { megabytesPerSecond } =
          way === "download"
            ? await download(lane.origin, `/bytes/${BULK_BYTES}`, lane.headers)
            : await upload(lane.origin, "/sink", BULK_BYTES, lane.headers);
        runs.push(megabytesPerSecond);
      }
      speeds.set(lane.name, runs.sort((a, b) => a - b)[Math.floor(BULK_RUNS / 2)] as number);
    }
    for (const [name, speed] of speeds) {
      const against = [...speeds].map(([peer, peak]) => `${(speed / peak).toFixed(2)} of ${peer}`);
      console.log(
        `${way} ${name.padEnd(22)} ${speed.toFixed(0).padStart(5)} MB/s   ${against.join(", ")}`,
      );
    }
  }
}

/** An A query for `host` in the form of RFC 8484 §4.1. */
function query(host: string): string {
  const labels = host.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
  const message = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1];
  return Buffer.from(message).toString("base64url");
}

await measureStartup(freePort);
const data = await mkdtemp(join(tmpdir(), "latchkey-bench-"));
closing.push(() => rm(data, { recursive: true, force: true }));
try {
  const origin = await startOrigin();
  closing.push(() => origin.close());
  const baselinePort = await freePort();
  closing.push(await startBaseline(baselinePort));
  const served = await serve(data, origin.port);
  await requests(served, `http://127.0.0.1:${baselinePort}`);
  await door(served, `http://127.0.0.1:${baselinePort}`);
  await bulk(served, origin.port);
} finally {
  for (const step of closing.reverse()) await step();
}
