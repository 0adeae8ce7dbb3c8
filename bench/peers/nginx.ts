/** The peer that has the service beside it: nginx as a reverse proxy, one hop and no tunnel. */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ended, freePort, listens } from "../processes.ts";
import type { Peer } from "./peers.ts";

const NGINX = "/usr/sbin/nginx";

/** One worker that streams both ways over kept connections; null where nginx is not. */
export async function startNginx(originPort: number): Promise<Peer | null> {
  if (!existsSync(NGINX)) return null;
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "latchkey-nginx-"));
  const file = join(folder, "nginx.conf");
  await writeFile(file, configuration(folder, port, originPort));
  const nginx = spawn(NGINX, ["-c", file, "-p", folder, "-e", "stderr"], { stdio: "ignore" });
  await listens(port);
  return {
    way: { origin: `http://127.0.0.1:${port}`, through: [nginx.pid ?? 0] },
    async close() {
      await ended(nginx);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configuration(folder: string, port: number, originPort: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  return `daemon off;
master_process off;
pid ${join(folder, "pid")};
error_log stderr crit;
events { worker_connections 512; }
http {
  access_log off;
  ${temporary.join("\n  ")}
  client_max_body_size 0;
  upstream origin { server 127.0.0.1:${originPort}; keepalive 64; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_max_temp_file_size 0;
      proxy_request_buffering off;
    }
  }
}
`;
}
