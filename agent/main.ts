/**
 * The agent: the program on the box. `node agent/main.ts …` (Node ≥ 22.18) or
 * `deno run -A agent/main.ts …`. This file reads the command line and speaks; the rest does.
 */

import type { AddressInfo } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { renderUnicodeCompact } from "uqr";
import packageJson from "../package.json" with { type: "json" };
import { keyFingerprint } from "../protocol/agent.ts";
import { type CertificateFlags, certify } from "./certificate.ts";
import { checkFromOutside } from "./check.ts";
import { enroll } from "./enroll.ts";
import { AgentFailure, type ExitCode, exitCodes } from "./failure.ts";
import { defaultHome, Home } from "./home.ts";
import { openidClient } from "./openid.ts";
import { type RunEnd, run } from "./run.ts";
import type { ShortcutFlags } from "./shortcut.ts";
import { openMasked, openSocket } from "./socket.ts";
import { listen, login, tunnelTarget } from "./tunnel/command.ts";
import { forgetDevice } from "./tunnel/known.ts";
import { openTunnel, type TunnelTarget } from "./tunnel/visitor.ts";

const usage = `latchkey agent ${packageJson.version}: gives a box at home a name and a door

  enroll --cloud URL        ask for a code and wait until you approve it in the console
  run [--serve ORIGIN]      keep the connection; offer the web page at ORIGIN, for
      [--tcp NAME=ADDRESS]  instance http://127.0.0.1:8080, behind the door, and TCP
                            services for tunnels, for instance ssh=127.0.0.1:22
      [--home-page ORIGIN]  where that page is in your home network, for the shortcut:
                            https://nas.example.org:5001
      [--direct PORT]       its port under the box's name, which your router forwards
      [--here-port PORT]    where the agent answers who is here (4780), with the
      [--cert F --key F]    certificate and key of that name (PEM), or behind your own
      [--proxied]           web server (docs/smart-link.md)
      [--masked]            where a proxy of your network opens TLS (docs/link.md)
  status                    what this box is enrolled as
  openid [--callback PATH]  how a page of this box signs people in with Latchkey: issuer,
         [--signed]         client and redirect addresses as JSON; with --callback (once
                            or more) or --signed it is set so first
  certificate [--wildcard]  have the box's name certified: the key is made here and stays
              [--hook CMD]  here, \`run\` renews, and CMD runs after each new one; --force
              [--force]     takes a new one now (docs/certificates.md)
  check PORT                is this port of the box open from outside, and does it lead here

On the computer you sit at (docs/tunnel.md):

  login --cloud URL         keep an access token for tunnels; it is read from the input
  tunnel DEVICE SERVICE     open a port here that leads to a service of your box, read by
         [--port N]         nobody between; --stdio joins it to input and output instead,
         [--stdio]          for ssh -o ProxyCommand; --fingerprint takes the key that
         [--fingerprint F]  \`status\` shows on the box
  forget DEVICE             forget the key of a box that was enrolled anew

  --home DIR                where the key is kept ($LATCHKEY_HOME, else ~/.latchkey)
  --help, --version

Exit codes: 0 done, 1 failed, 2 not understood, 3 not enrolled, 4 unregistered by its
owner, 5 replaced by another program with the same key, 6 a box with a strange key.
`;

const say = (line: string) => void process.stdout.write(`${line}\n`);

const endings: Readonly<Record<RunEnd, { code: ExitCode; sentence: string }>> = {
  stopped: { code: exitCodes.done, sentence: "Stopped." },
  replaced: {
    code: exitCodes.replaced,
    sentence:
      "Another program connected with this box's key, so this one stops. If that was not you, " +
      "unregister the box in the console.",
  },
  unregistered: {
    code: exitCodes.unregistered,
    sentence: "The owner unregistered this box. Its key is deleted; enroll again to come back.",
  },
};

interface Options {
  readonly home: string;
  readonly cloud: string | undefined;
  readonly serve: string | undefined;
  readonly callbacks: readonly string[] | undefined;
  readonly signed: boolean;
  readonly shortcut: ShortcutFlags;
  readonly certificate: CertificateFlags;
  readonly tcp: readonly string[];
  readonly masked: boolean;
  readonly port: string | undefined;
  readonly stdio: boolean;
  readonly fingerprint: string | undefined;
  /** What stands behind the command. */
  readonly rest: readonly string[];
}

/** Aborts on Ctrl-C and on the service manager's stop. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => controller.abort());
  }
  return controller.signal;
}

const commands: Readonly<Record<string, (options: Options) => Promise<ExitCode>>> = {
  async enroll({ home, cloud }) {
    if (cloud === undefined) throw new AgentFailure("enroll needs --cloud URL.", exitCodes.usage);
    const device = await enroll({
      home,
      cloud,
      signal: stopSignal(),
      onCode: (code) => {
        say(`Open this page, sign in and approve:\n\n  ${code.verification_uri_complete}\n`);
        say(renderUnicodeCompact(code.verification_uri_complete, { border: 1 }));
        say(`Or type the code ${code.user_code} at ${code.verification_uri}\n`);
        say(`Approve only if the page shows this key:  ${code.fingerprint}`);
        say(`The code is good for ${code.expires_in / 60} minutes. Waiting …`);
      },
    });
    say(`\nThis box is now "${device.label}". Switch on what you want in the console:`);
    say(`  Door  ${device.link}\n  Name  ${device.host}`);
    return exitCodes.done;
  },

  async run({ home, serve, tcp, shortcut, masked }) {
    const signal = stopSignal();
    const open = masked ? openMasked : openSocket;
    const end = await run({ home, serve: serve ?? null, tcp, shortcut, open, log: say, signal });
    say(endings[end].sentence);
    return endings[end].code;
  },

  async status({ home }) {
    const folder = new Home(home);
    const [device, identity] = [await folder.device(), await folder.identity()];
    if (device === null || identity === null) {
      throw new AgentFailure("This box is not enrolled yet.", exitCodes.notEnrolled);
    }
    say(`"${device.label}" at ${device.cloud}`);
    say(`  Door  ${device.link}\n  Name  ${device.host}\n  Id    ${device.device_id}`);
    say(`  Key   ${await keyFingerprint(identity.publicKey)}`);
    return exitCodes.done;
  },

  async certificate({ home, certificate }) {
    await certify({ home, log: say, signal: stopSignal() }, certificate);
    return exitCodes.done;
  },

  async check({ home, rest: [port = ""] }) {
    say(await checkFromOutside(home, port));
    return exitCodes.done;
  },

  async openid({ home, callbacks, signed }) {
    const asked = callbacks !== undefined || signed;
    const change = asked ? { paths: callbacks ?? [], signed } : null;
    say(JSON.stringify(await openidClient(home, change), null, 2));
    return exitCodes.done;
  },

  async login({ home, cloud }) {
    if (cloud === undefined) throw new AgentFailure("login needs --cloud URL.", exitCodes.usage);
    if (process.stdin.isTTY) {
      say(`Make an access token that may open tunnels at ${cloud}/account/tokens, and paste it:`);
    }
    await login(home, cloud, await firstLine(process.stdin));
    say("Kept, readable by you alone.");
    return exitCodes.done;
  },

  async tunnel({ home, rest: [device = "", service = ""], port = "0", stdio, fingerprint }) {
    if (!/^\d{1,5}$/.test(port)) throw new AgentFailure("--port is a number.", exitCodes.usage);
    const environment = process.env;
    const target = await tunnelTarget({
      ...{ home, environment, device, service, key: fingerprint ?? null },
      say: complain,
    });
    if (stdio) return await overStdio(target);
    const server = await listen(target, Number(port), complain);
    const { port: opened } = server.address() as AddressInfo;
    say(`127.0.0.1:${opened} leads to ${service} on "${device}" until you stop it.`);
    await new Promise((resolve) => stopSignal().addEventListener("abort", resolve));
    server.close();
    process.exit(exitCodes.done); // whoever is still in a tunnel is cut off
  },

  async forget({ home, rest: [device = ""] }) {
    const known = await forgetDevice(new Home(home), device.toLowerCase());
    say(known ? `The key of "${device}" is forgotten.` : `"${device}" was never met.`);
    return exitCodes.done;
  },
};

const complain = (line: string) => void process.stderr.write(`${line}\n`);

/** What each command takes behind its name; nothing where it is not named. */
const takes: Readonly<Record<string, number>> = { tunnel: 2, forget: 1, check: 1 };

/** Joins a tunnel to the standard input and output, until both ended. */
async function overStdio(target: TunnelTarget): Promise<ExitCode> {
  const remote = await openTunnel(target);
  process.stdin.pipe(remote);
  remote.pipe(process.stdout);
  process.stdout.on("error", () => remote.destroy());
  const whole = await new Promise<boolean>((resolve) => {
    remote.once("close", () => resolve(remote.readableEnded));
  });
  process.stdin.destroy();
  return whole ? exitCodes.done : exitCodes.failed;
}

async function firstLine(input: NodeJS.ReadStream): Promise<string> {
  for await (const line of createInterface({ input })) return line.trim();
  return "";
}

async function main(args: string[]): Promise<ExitCode> {
  const { values, positionals } = parse(args);
  if (values.version) {
    say(packageJson.version);
    return exitCodes.done;
  }
  const [name, ...more] = positionals;
  if (values.help || name === undefined) {
    say(usage);
    return values.help ? exitCodes.done : exitCodes.usage;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  const wanted = takes[name] ?? 0;
  if (command === undefined || more.length > wanted) {
    const odd = command === undefined ? name : more[wanted];
    throw new AgentFailure(`"${odd}" is not understood; see --help.`, exitCodes.usage);
  }
  if (more.length < wanted) {
    throw new AgentFailure(`${name} needs ${wanted} words behind it; see --help.`, exitCodes.usage);
  }
  const home = values.home ?? defaultHome(process.env);
  return await command({
    home,
    cloud: values.cloud,
    serve: values.serve,
    callbacks: values.callback,
    signed: values.signed ?? false,
    shortcut: {
      home: values["home-page"],
      direct: values.direct,
      herePort: values["here-port"],
      cert: values.cert,
      key: values.key,
      proxied: values.proxied,
    },
    certificate: {
      wildcard: values.wildcard ?? false,
      hook: values.hook,
      force: values.force ?? false,
    },
    tcp: values.tcp ?? [],
    masked: values.masked ?? false,
    port: values.port,
    stdio: values.stdio ?? false,
    fingerprint: values.fingerprint,
    rest: more,
  });
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        home: { type: "string" },
        cloud: { type: "string" },
        serve: { type: "string" },
        callback: { type: "string", multiple: true },
        signed: { type: "boolean" },
        "home-page": { type: "string" },
        direct: { type: "string" },
        "here-port": { type: "string" },
        cert: { type: "string" },
        key: { type: "string" },
        proxied: { type: "boolean" },
        wildcard: { type: "boolean" },
        hook: { type: "string" },
        force: { type: "boolean" },
        tcp: { type: "string", multiple: true },
        masked: { type: "boolean" },
        port: { type: "string" },
        stdio: { type: "boolean" },
        fingerprint: { type: "string" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "v" },
      },
    });
  } catch (error) {
    throw new AgentFailure(`${(error as Error).message}\nSee --help.`, exitCodes.usage);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof AgentFailure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.exitCode;
}
