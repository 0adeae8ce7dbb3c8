/**
 * What most lanes need: a runtime with nothing of ours, and the edge with three boxes in front of one local
 * service, their doors open to everyone. One box is as boxes are; the agents of the others have no bulk lane,
 * and one of them masks what it sends.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { enroll } from "../agent/enroll.ts";
import { type Demo, startDemo } from "../scripts/local/demo.ts";
import { type Edge, type EdgeOptions, startEdge } from "../scripts/local/edge.ts";
import { startMailbox } from "../scripts/local/mailbox.ts";
import { startBaseline } from "./baseline-edge.ts";
import { Heap } from "./heap.ts";
import type { Way } from "./load.ts";
import { startOrigin } from "./origin.ts";
import { type Peer, type PeerName, startPeers } from "./peers/peers.ts";
import { freePort, Helper, running, runtimes } from "./processes.ts";

const AGENT = join(import.meta.dirname, "../agent/main.ts");

/** What is undone at the end, the last first. */
export type Closing = (() => Promise<unknown>)[];

/** An edge and its boxes in front of one service. */
export interface Boxes extends House {
  readonly session: string;
  /** The local service itself. */
  readonly service: Way;
  /** Through the door of a box as boxes are. */
  readonly link: Way;
  /** Through the door of the box whose bodies all go in frames. */
  readonly frames: Way;
  /** Through the door of a third box, whose frames have unpredictable masks. */
  readonly masked: Way;
  /** The agent of the box in frames only (framed-box.ts). */
  readonly framedBox: Helper;
}

export interface Stage extends Boxes {
  /** The bare runtime. */
  readonly baseline: Way;
  readonly peers: ReadonlyMap<PeerName, Peer | null>;
}

export async function setStage(closing: Closing): Promise<Stage> {
  const port = await freePort();
  closing.push(await startBaseline(port));
  const baseline = { origin: `http://127.0.0.1:${port}`, through: runtimes() };
  const boxes = await setBoxes(closing);
  const peers = await startPeers(Number(new URL(boxes.service.origin).port));
  for (const peer of peers.values()) closing.push(async () => await peer?.close());
  return { ...boxes, baseline, peers };
}

/** @param inspected lets `heap()` look into the runtime, which speed is not measured with */
export async function setBoxes(closing: Closing, inspected = false): Promise<Boxes> {
  const origin = await startOrigin();
  closing.push(() => origin.close());
  const service = `http://127.0.0.1:${origin.port}`;
  const house = await startHouse(closing, service, { inspected });
  const { edge, runtime, demo, folder } = house;
  const { email: address, password } = demo.account;
  const { token } = (await ask(edge, "POST", "/sessions", { address, password })) as {
    token: string;
  };
  await ask(edge, "PUT", `/devices/${demo.device.id}/access`, { mode: "everyone" }, token);
  const home = join(folder, "framed");
  const label = await enrollFramed(edge, home, token, "framed");
  const framedBox = new Helper(join(import.meta.dirname, "framed-box.ts"), home, service);
  closing.push(() => framedBox.close());
  await framedBox.next();
  const maskedHome = join(folder, "masked");
  const maskedLabel = await enrollFramed(edge, maskedHome, token, "masked");
  const maskedBox = new Helper(
    join(import.meta.dirname, "framed-box.ts"),
    ...[maskedHome, service, "masked"],
  );
  closing.push(() => maskedBox.close());
  await maskedBox.next();
  const door = (host: string, agents: readonly number[]): Way => ({
    origin: edge.origin,
    headers: { host },
    through: [runtime, ...agents],
  });
  return {
    ...house,
    session: token,
    service: { origin: service },
    link: door(new URL(demo.device.link).host, running(AGENT)),
    frames: door(`${label}.${edge.linkZone}`, [framedBox.child.pid ?? 0]),
    masked: door(`${maskedLabel}.${edge.linkZone}`, [maskedBox.child.pid ?? 0]),
    framedBox,
  };
}

export interface House {
  readonly edge: Edge;
  /** The process of the edge's runtime. */
  readonly runtime: number;
  /** What the edge's worker holds. @throws Error when the runtime does not say */
  heap(): Promise<Heap>;
  readonly demo: Demo;
  /** For files of this run. */
  readonly folder: string;
}

interface HouseOptions extends Pick<EdgeOptions, "beside" | "variables"> {
  /** Lets `heap()` look into the runtime; speed is measured without. */
  readonly inspected?: boolean;
  /** Where its files are, else among the system's temporary ones. */
  readonly under?: string;
}

/** An edge with one account and its box in front of `serve`. */
export async function startHouse(
  closing: Closing,
  serve: string,
  more: HouseOptions = {},
): Promise<House> {
  const { beside, variables = {}, inspected = false, under = tmpdir() } = more;
  const folder = await mkdtemp(join(under, "latchkey-bench-"));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const mailbox = await startMailbox();
  closing.push(() => mailbox.close());
  const before = new Set(runtimes());
  const inspectorPort = await freePort();
  const edge = await startEdge({
    data: join(folder, "edge"),
    port: await freePort(),
    // The load comes from one network: with the budgets of one visitor it would be refused.
    variables: {
      SMTP_URL: mailbox.smtpUrl,
      LINK_BUDGETS: "requests=1M visitor-requests=1M",
      ...variables,
    },
    ...(beside === undefined ? {} : { beside }),
    ...(inspected ? { inspectorPort } : {}),
  });
  closing.push(() => edge.close());
  const runtime = runtimes().find((pid) => !before.has(pid)) ?? Number.NaN;
  const demo = await startDemo({ edge, mailbox, folder: join(folder, "demo"), serve });
  closing.push(() => demo.close());
  const poke = async () => await (await fetch(`${edge.origin}/healthz`)).text();
  const heap = async () => {
    const made = await Heap.of("latchkey", inspectorPort, poke);
    closing.push(async () => made.close());
    return made;
  };
  return { edge, runtime, heap, demo, folder };
}

/** Enrolls another box of the same person, its door open. @returns its label */
async function enrollFramed(
  edge: Edge,
  home: string,
  token: string,
  label: string,
): Promise<string> {
  const { device_id: id } = await enroll({
    cloud: edge.origin,
    home,
    onCode: async ({ user_code }) => {
      await ask(edge, "POST", "/enrolments/approve", { user_code, label }, token);
    },
  });
  await ask(edge, "PUT", `/devices/${id}/features/link`, { on: true }, token);
  await ask(edge, "PUT", `/devices/${id}/access`, { mode: "everyone" }, token);
  return label;
}

async function ask(
  edge: Edge,
  method: string,
  path: string,
  body: unknown,
  token?: string,
): Promise<unknown> {
  const answer = await fetch(`${edge.origin}/api${path}`, {
    method,
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  const text = await answer.text();
  return text === "" ? null : JSON.parse(text);
}
