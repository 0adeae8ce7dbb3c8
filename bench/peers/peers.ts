/** The peers that Link is measured against in the same run, each in front of the same local service. */

import type { Way } from "../load.ts";
import { startLocaltunnel } from "./localtunnel.ts";
import { startNginx } from "./nginx.ts";
import { startSsh } from "./ssh.ts";

export interface Peer {
  readonly way: Way;
  close(): Promise<void>;
}

const makers = {
  "ssh -R": { start: startSsh, missing: "apt-get install openssh-server" },
  localtunnel: { start: startLocaltunnel, missing: "npm could not fetch it" },
  nginx: { start: startNginx, missing: "apt-get install nginx-light" },
} as const;

export type PeerName = keyof typeof makers;
export const peerNames = Object.keys(makers) as PeerName[];

/** What would give the peer that is not here. */
export const missingWhy = (name: PeerName): string => makers[name].missing;

/** Starts those that this machine has. @returns null for the others */
export async function startPeers(originPort: number): Promise<ReadonlyMap<PeerName, Peer | null>> {
  const peers = new Map<PeerName, Peer | null>();
  for (const name of peerNames) peers.set(name, await makers[name].start(originPort));
  return peers;
}
