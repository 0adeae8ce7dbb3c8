/** Debian's Apache as a service at home: files with ranges, WebDAV and git over HTTP, in one folder. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "./browser.ts";

const MODULES = "/usr/lib/apache2/modules";
const PROGRAM = "/usr/sbin/apache2";
const GIT = "/usr/lib/git-core/git-http-backend";
const loaded = [
  ...["mpm_event", "authn_core", "authz_core", "dir", "mime", "alias", "env"],
  ...["filter", "deflate", "dav", "dav_fs", "cgid"],
];

export interface HomeApache {
  readonly origin: string;
  /** What `/` shows; `dav/` below it is WebDAV, `git/` holds repositories. */
  readonly files: string;
  /** Lines of `method path status range`. */
  log(): Promise<string[]>;
  close(): Promise<void>;
}

export async function startHomeApache(folder: string): Promise<HomeApache> {
  if (!existsSync(PROGRAM)) throw new Error("Apache is not installed: apt-get install apache2");
  const port = await freePort();
  const files = join(folder, "files");
  await mkdir(join(files, "dav"), { recursive: true });
  await mkdir(join(files, "git"), { recursive: true });
  await writeFile(join(folder, "types"), "video/webm webm\ntext/html html\ntext/plain txt\n");
  await writeFile(join(folder, "apache.conf"), `${configOf(folder, files, port).join("\n")}\n`);
  const apache = spawn(PROGRAM, ["-X", "-f", join(folder, "apache.conf")], { stdio: "inherit" });
  const origin = `http://127.0.0.1:${port}`;
  await answers(apache, origin, folder);
  return {
    origin,
    files,
    log: async () => (await readFile(join(folder, "access.log"), "utf8")).trim().split("\n"),
    async close() {
      const gone = new Promise((resolve) => apache.once("close", resolve));
      apache.kill("SIGTERM");
      await gone;
    },
  };
}

function configOf(folder: string, files: string, port: number): string[] {
  return [
    ...loaded.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`),
    `ServerRoot ${folder}`,
    "ServerName home.invalid",
    "UseCanonicalName Off",
    `Listen 127.0.0.1:${port}`,
    `PidFile ${folder}/apache.pid`,
    `ScriptSock ${folder}/cgid.sock`,
    `ErrorLog ${folder}/error.log`,
    `CustomLog ${folder}/access.log "%m %U %>s %{Range}i"`,
    `TypesConfig ${folder}/types`,
    `Mutex file:${folder}`,
    `DocumentRoot ${files}`,
    "LimitRequestBody 0",
    "AddOutputFilterByType DEFLATE text/plain",
    `DavLockDB ${folder}/locks`,
    `<Directory ${files}>`,
    "  Require all granted",
    "</Directory>",
    "<Location /dav>",
    "  Dav On",
    "</Location>",
    `ScriptAlias /git/ ${GIT}/`,
    "<Location /git>",
    "  Require all granted",
    `  SetEnv GIT_PROJECT_ROOT ${files}/git`,
    "  SetEnv GIT_HTTP_EXPORT_ALL 1",
    "</Location>",
  ];
}

/** Waits until it answers, and says why when it ended instead. */
async function answers(apache: ChildProcess, origin: string, folder: string): Promise<void> {
  for (;;) {
    if (apache.exitCode !== null) {
      const log = await readFile(join(folder, "error.log"), "utf8").catch(() => "no log");
      throw new Error(`Apache ended with ${apache.exitCode}: ${log}`);
    }
    const answer = await fetch(origin).catch(() => null);
    if (answer !== null) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
