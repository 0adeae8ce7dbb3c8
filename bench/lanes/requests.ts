/** What a request of ours costs against a bare route: the front, a session, a name's update, a DNS answer. */

import { inTurn, type Load } from "../load.ts";
import type { Plan } from "../plan.ts";
import { judged, Section } from "../report.ts";
import type { Stage } from "../stage.ts";

const CONNECTIONS = 16;
const OBJECT = "bare route with an object call (peer)";
const NOCHG = "DDNS nochg";

interface Lane {
  readonly name: string;
  readonly load: Load;
}

export async function requests(stage: Stage, plan: Plan): Promise<Section> {
  const section = new Section(`Requests of ours, ${CONNECTIONS} at a time`, [
    ...["requests/s", "p50 ms", "p99 ms", "CPU µs", "of a bare route", "p50", "limits"],
  ]);
  const lanes = lanesOf(stage, plan.seconds);
  const loads = lanes.map(({ load }) => load);
  const measured = await inTurn(loads, plan.rounds);
  const bare = measured[0];
  if (bare === undefined) throw new Error("the bare route was not measured");
  const object = measured[lanes.findIndex(({ name }) => name === OBJECT)];
  for (const [index, one] of measured.entries()) {
    const { requestsPerSecond, p50Ms, p99Ms, cpuUs } = one;
    section.row(
      lanes[index]?.name ?? "",
      ...[requestsPerSecond.toFixed(0), p50Ms.toFixed(2), p99Ms.toFixed(2)],
      cpuUs.toFixed(0),
      (requestsPerSecond / bare.requestsPerSecond).toFixed(2),
      `${(p50Ms / bare.p50Ms).toFixed(2)}×`,
      lanes[index]?.name === NOCHG && object !== undefined
        ? judged(requestsPerSecond / object.requestsPerSecond, { atLeast: 0.5 }, OBJECT)
        : "",
    );
  }
  return section;
}

function lanesOf({ edge, runtime, demo, session, baseline }: Stage, seconds: number): Lane[] {
  const load = { origin: edge.origin, through: [runtime], connections: CONNECTIONS, seconds };
  const bearer = { authorization: `Bearer ${session}` };
  const { host, updateUser, updatePassword } = demo.device;
  const basic = Buffer.from(`${updateUser}:${updatePassword}`).toString("base64");
  return [
    {
      name: "bare Hono route (peer)",
      load: { ...load, ...baseline, path: "/plain", says: "ok" },
    },
    { name: OBJECT, load: { ...load, ...baseline, path: "/object", says: "ok" } },
    { name: "route of ours, no session", load: { ...load, path: "/healthz" } },
    // The front page looks at the session, finds a person, and sends them on: the check and nothing else.
    { name: "signed-in request", load: { ...load, path: "/", headers: bearer, status: 303 } },
    {
      name: "signed-in request + session list",
      load: { ...load, path: "/api/sessions", headers: bearer },
    },
    {
      name: NOCHG,
      load: {
        ...load,
        path: `/nic/update?hostname=${host}&myip=127.0.0.1`,
        headers: { authorization: `Basic ${basic}`, "user-agent": "bench/1" },
      },
    },
    { name: "DNS answer (DoH)", load: { ...load, path: `/dns-query?dns=${query(host)}` } },
  ];
}

/** An A query for `host` in the form of RFC 8484 §4.1. */
function query(host: string): string {
  const labels = host.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
  const message = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1];
  return Buffer.from(message).toString("base64url");
}
