/** What a person types or pastes on the box: commands and configuration. Pure text. */

/** Asks for a code; run once on the box. */
export function enrollCommand(origin: string): string {
  return `node agent/main.ts enroll --cloud ${origin}`;
}

/** Keeps the box connected and serves one local page. */
export const runCommand = "node agent/main.ts run --serve http://127.0.0.1:8080";

/** Offers a TCP service beside the page, for tunnels (docs/tunnel.md). */
export const tcpCommand = `${runCommand} --tcp ssh=127.0.0.1:22`;

/** Shows the key's fingerprint, on the box. */
export const enrolledCommand = "node agent/main.ts status";

/** Keeps an access token on the computer a person sits at. */
export function loginCommand(origin: string): string {
  return `node agent/main.ts login --cloud ${origin}`;
}

/** Opens a port on the computer a person sits at, which leads to a service of the box. */
export function tunnelCommand(label: string, service: string): string {
  return `node agent/main.ts tunnel ${label} ${service}`;
}

/** The same, with where the page is at home: under https by name, in a trial by its port alone. */
export function shortcutCommand(origin: string): string {
  if (origin.startsWith("http:")) return `${runCommand} --home-page 8080`;
  return `${runCommand} --home-page https://nas.example.org:5001 --cert nas.crt --key nas.key`;
}

/**
 * /etc/ddclient.conf for one host (ddclient 3.10). The address behind NAT is asked of us, not of a
 * third party; ddclient takes no server name without a dot, so `localhost` becomes its address.
 */
export function ddclientConfiguration(origin: string, host: string, secret: string): string {
  const { protocol, host: named } = new URL(origin);
  const server = named.replace(/^localhost(?=:|$)/, "127.0.0.1");
  return [
    "daemon=300",
    `ssl=${protocol === "https:" ? "yes" : "no"}`,
    "use=no",
    `usev4=webv4, webv4=${protocol}//${server}/nic/ip`,
    "protocol=dyndns2",
    `server=${server}`,
    `login=${host}`,
    `password='${secret}'`,
    host,
  ].join("\n");
}
