/** A device as its owner sees it, put together from the rooms of its object. */

import type { Agents } from "./agents.ts";
import type { RegistrationRow } from "./registration.ts";
import type { DeviceDescription } from "./rpc.ts";
import type { Rooms } from "./switches.ts";

/** What of it is kept or live at this moment; nothing of what is off. */
export async function descriptionOf(
  row: RegistrationRow,
  rooms: Rooms,
  agents: Agents,
  labels: readonly string[],
): Promise<DeviceDescription> {
  const { access, connection, link, name, traffic } = rooms;
  const features = rooms.features.states();
  const watched = features.name || features.link;
  return {
    id: row.device_id,
    accountId: row.account_id,
    label: row.label,
    labels,
    publicKey: row.public_key,
    createdAt: row.created_at,
    features,
    access: {
      mode: access.mode,
      people: access.rules.people(),
      rules: access.rules.describe(),
      identity: access.identity,
      closed: access.closed,
    },
    connection: watched ? await connection.describe() : null,
    agents: watched ? connection.health((socket) => link.streamsOf(socket)) : [],
    traffic: features.link ? await traffic.view() : null,
    name: features.name ? await name.describe() : null,
    tcp: features.link ? agents.tcpServices() : [],
  };
}
