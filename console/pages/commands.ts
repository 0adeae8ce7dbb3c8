/** What a person types or pastes on the box: commands and configuration. Pure text. */

/** Asks for a code; run once on the box. */
export function enrollCommand(origin: string): string {
  return `node agent/main.ts enroll --cloud ${origin}`;
}

/** Keeps the box connected and serves one local page. */
export const runCommand = "node agent/main.ts run --serve http://127.0.0.1:8080";

/** /etc/ddclient.conf for one host. */
export function ddclientConfiguration(origin: string, host: string, secret: string): string {
  const { protocol, host: server } = new URL(origin);
  return [
    "daemon=300",
    `ssl=${protocol === "https:" ? "yes" : "no"}`,
    "usev4=webv4, webv4=ipify-ipv4",
    "protocol=dyndns2",
    `server=${server}`,
    `login=${host}`,
    `password='${secret}'`,
    host,
  ].join("\n");
}
