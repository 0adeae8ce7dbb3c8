/** A device as the JSON API shows it to its owner. */

import * as z from "zod";
import {
  accessModes,
  closeExtents,
  closeReasons,
  type DeviceDescription,
  identityModes,
} from "../../durable-objects/device/rpc.ts";
import { serviceStates } from "../../protocol/agent.ts";
import { type Config, doorOrigin } from "../config.ts";
import { time } from "../described.ts";
import { iso } from "../http.ts";

export const mode = z.enum(accessModes);
export const identityMode = z.enum(identityModes);

export const deviceJson = z.strictObject({
  id: z.string(),
  label: z.string(),
  labels: z
    .array(z.string())
    .meta({ description: "Every name that it answers to; `label` is the first" }),
  link: z.string(),
  host: z.string(),
  created_at: time,
  features: z.strictObject({ name: z.boolean(), link: z.boolean(), lan: z.boolean() }),
  access: z.strictObject({
    mode,
    people: z.array(z.string()),
    rules: z.array(
      z.strictObject({
        id: z.string(),
        service: z.string(),
        path: z.string(),
        mode,
        people: z.array(z.string()),
      }),
    ),
    identity: identityMode,
    closed: z
      .strictObject({
        reason: z.enum(closeReasons),
        extent: z.enum(closeExtents),
        words: z.string(),
        at: time,
      })
      .nullable(),
  }),
  connection: z
    .strictObject({
      online: z.boolean(),
      since: time,
      address: z.string().nullable(),
      agent: z.string(),
    })
    .nullable(),
  agents: z
    .array(
      z.strictObject({
        id: z.string(),
        since: time,
        heard_at: time,
        agent: z.string(),
        service: z.enum(serviceStates).nullable(),
        leaving: z.boolean(),
        streams: z.number(),
      }),
    )
    .meta({ description: "Every connection that stands, the newest first" }),
  traffic: z
    .strictObject({
      hours: z.array(
        z.strictObject({
          at: time,
          requests: z.number(),
          from_device: z.number(),
          to_device: z.number(),
          busy: z.number(),
          over_budget: z.number(),
        }),
      ),
    })
    .nullable()
    .meta({ description: "What passed in the last 24 hours; null while Link is off" }),
  name: z
    .strictObject({
      ipv4: z.string().nullable(),
      ipv6: z.string().nullable(),
      changed_at: time.nullable(),
      tokens: z.number().meta({ description: "How many tokens may speak for it" }),
      flooding: z.number().meta({ description: "Of how many the client asks too often" }),
      idle: z.number().meta({ description: "How many end soon, for nobody uses them" }),
    })
    .nullable(),
});

/** What the object says of the device, in the words of the API. */
export function view(config: Config, device: DeviceDescription): z.infer<typeof deviceJson> {
  const { access, connection, name } = device;
  return {
    id: device.id,
    label: device.label,
    labels: [...device.labels],
    link: doorOrigin(config, device.label),
    host: `${device.label}.${config.ddnsZone}`,
    created_at: iso(device.createdAt),
    features: device.features,
    access: {
      mode: access.mode,
      people: [...access.people],
      rules: access.rules.map((rule) => ({ ...rule, people: [...rule.people] })),
      identity: access.identity,
      closed: access.closed === null ? null : { ...access.closed, at: iso(access.closed.at) },
    },
    connection: connection === null ? null : { ...connection, since: iso(connection.since) },
    agents: device.agents.map(({ heardAt, since, ...agent }) => ({
      ...agent,
      since: iso(since),
      heard_at: iso(heardAt),
    })),
    traffic:
      device.traffic === null
        ? null
        : {
            hours: device.traffic.hours.map((hour) => ({
              at: iso(hour.at),
              requests: hour.requests,
              from_device: hour.fromDevice,
              to_device: hour.toDevice,
              busy: hour.busy,
              over_budget: hour.overBudget,
            })),
          },
    name:
      name === null
        ? null
        : {
            ipv4: name.ipv4,
            ipv6: name.ipv6,
            changed_at: iso(name.changedAt),
            tokens: name.tokens,
            flooding: name.flooding,
            idle: name.idle,
          },
  };
}
