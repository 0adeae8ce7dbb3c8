/**
 * The one local service that this box offers. The cloud can name nothing else: not a host, not a
 * port, and never an address from which machines of a data center get their secrets.
 */

import { connect } from "node:net";
import { AgentFailure } from "./failure.ts";

const METADATA_HOSTS = new Set(["metadata", "metadata.google.internal", "instance-data"]);
const METADATA_ADDRESSES = new Set(["100.100.100.200", "192.0.0.192", "[fd00:ec2::254]"]);
const PROBE_MS = 2000;

/** The origin of the service a person named. @throws AgentFailure when it may not be offered */
export function serviceOrigin(typed: string): string {
  const url = URL.parse(typed);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new AgentFailure(`"${typed}" is no local service; it reads http://127.0.0.1:8080.`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new AgentFailure("A service is named without a user name and password.");
  }
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    throw new AgentFailure(`A service is named without a path: ${url.origin}.`);
  }
  if (isForbidden(url.hostname)) {
    throw new AgentFailure(`${url.hostname} is not a service of yours; it is refused.`);
  }
  return url.origin;
}

/** Link-local and metadata addresses; `URL` has written every spelling of an address the same way. */
export function isForbidden(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, "");
  return (
    METADATA_HOSTS.has(host) ||
    METADATA_ADDRESSES.has(host) ||
    host === "0.0.0.0" ||
    host === "[::]" ||
    /^169\.254\./.test(host) ||
    /^\[fe[89ab][0-9a-f]:/.test(host) ||
    /^\[::ffff:a9fe:/.test(host) // 169.254/16 mapped into IPv6
  );
}

/** True when something listens at `origin`. */
export function answers(origin: string): Promise<boolean> {
  const url = new URL(origin);
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  return new Promise((resolve) => {
    const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ""), port });
    const done = (up: boolean) => {
      socket.destroy();
      resolve(up);
    };
    socket.setTimeout(PROBE_MS, () => done(false));
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}
