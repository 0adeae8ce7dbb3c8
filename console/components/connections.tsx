/**
 * The device's connections, one a program: since when, what it is, when it was last heard of, how its
 * local service is, how much is on the way. All rows stand in the page; the live island fills and shows
 * as many as there are (islands/health.ts), and makes no words of its own.
 */

import type { AgentHealth, DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { Time } from "./time.tsx";

/** Each program has one connection, and one that it is about to give up. */
const ROWS = 2 * limits.agentsPerDevice;

const services = {
  up: "its page answers",
  down: "its page does not answer",
  none: "offers no page",
  unknown: "has not said how its page is",
} as const;

export function Connections({ device, now }: { device: DeviceDescription; now: number }) {
  const rows = Array.from({ length: ROWS }, (_, index) => device.agents[index] ?? null);
  return (
    <ul class="connections" data-agents aria-label={`Connections of ${device.label}`}>
      {rows.map((agent) => (
        <Row agent={agent} now={now} />
      ))}
    </ul>
  );
}

function Row({ agent, now }: { agent: AgentHealth | null; now: number }) {
  const state = agent?.service ?? "unknown";
  return (
    <li hidden={agent === null} data-agent data-service={state}>
      <span class="connection-lamp" aria-hidden="true" />
      <span>
        <span data-agent-name>{agent?.agent ?? ""}</span>,{" "}
        {Object.entries(services).map(([name, words]) => (
          <span data-service-word={name} hidden={name !== state}>
            {words}
          </span>
        ))}
        <span data-agent-leaving hidden={agent?.leaving !== true}>
          , being replaced
        </span>
        <span class="connection-more">
          Connected <Time at={agent?.since ?? now} now={now} bind="agent-since" />, heard{" "}
          <Time at={agent?.heardAt ?? now} now={now} bind="agent-heard" />,{" "}
          <span data-agent-streams>{agent?.streams ?? 0}</span> on the way
        </span>
      </span>
    </li>
  );
}
