/** A device as the JSON API shows it to its owner. */

import * as z from "zod";
import { accessModes, type DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { type Config, doorOrigin } from "../config.ts";
import { time } from "../described.ts";
import { iso } from "../http.ts";

export const mode = z.enum(accessModes);

export const deviceJson = z.strictObject({
  id: z.string(),
  label: z.string(),
  link: z.string(),
  host: z.string(),
  created_at: time,
  features: z.strictObject({ name: z.boolean(), link: z.boolean(), lan: z.boolean() }),
  access: z.strictObject({ mode, people: z.array(z.string()) }),
  connection: z
    .strictObject({
      online: z.boolean(),
      since: time,
      address: z.string().nullable(),
      agent: z.string(),
    })
    .nullable(),
  name: z
    .strictObject({
      ipv4: z.string().nullable(),
      ipv6: z.string().nullable(),
      changed_at: time.nullable(),
      has_update_secret: z.boolean(),
    })
    .nullable(),
});

/** What the object says of the device, in the words of the API. */
export function view(config: Config, device: DeviceDescription): z.infer<typeof deviceJson> {
  const { connection, name } = device;
  return {
    id: device.id,
    label: device.label,
    link: doorOrigin(config, device.label),
    host: `${device.label}.${config.ddnsZone}`,
    created_at: iso(device.createdAt),
    features: device.features,
    access: { mode: device.access.mode, people: [...device.access.people] },
    connection: connection === null ? null : { ...connection, since: iso(connection.since) },
    name:
      name === null
        ? null
        : {
            ipv4: name.ipv4,
            ipv6: name.ipv6,
            changed_at: iso(name.changedAt),
            has_update_secret: name.hasUpdateSecret,
          },
  };
}
