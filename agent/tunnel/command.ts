/** `latchkey login`, `tunnel` and `forget`: what a person types on the computer they sit at. */

import { createServer, type Server, type Socket } from "node:net";
import { isTcpService } from "../../protocol/tunnel.ts";
import { cloudOrigin, get, problemOf } from "../cloud.ts";
import { AgentFailure, exitCodes } from "../failure.ts";
import { Home, type Login } from "../home.ts";
import { join } from "./duplex.ts";
import { pinnedKey } from "./known.ts";
import { openTunnel, type TunnelTarget } from "./visitor.ts";

/** Keeps an access token, once it is good for tunnels. @throws AgentFailure */
export async function login(folder: string, cloud: string, token: string): Promise<void> {
  const origin = cloudOrigin(cloud);
  if (!/^lk_pat_\S+$/.test(token)) {
    throw new AgentFailure("That is no access token; it begins with lk_pat_.", exitCodes.usage);
  }
  // Of a device that cannot be: whoever may ask at all is told that it is not there.
  const answer = await get(origin, "/api/tunnels/x", token);
  if (answer.status !== 404) throw refused(answer.status, problemOf(answer));
  await new Home(folder).saveLogin({ cloud: origin, token });
}

/** What of the environment names a cloud and a token, in front of what `login` kept. */
export interface Environment {
  readonly LATCHKEY_TOKEN?: string | undefined;
  readonly LATCHKEY_CLOUD?: string | undefined;
}

async function loginOf(home: Home, environment: Environment): Promise<Login> {
  const kept = await home.login();
  const token = environment.LATCHKEY_TOKEN || kept?.token;
  const cloud = environment.LATCHKEY_CLOUD || kept?.cloud || (await home.device())?.cloud;
  if (token === undefined || cloud === undefined) {
    throw new AgentFailure(
      "Sign in first: `latchkey login --cloud URL`, or set LATCHKEY_TOKEN and LATCHKEY_CLOUD.",
      exitCodes.usage,
    );
  }
  return { token, cloud: cloudOrigin(cloud) };
}

export interface TunnelOptions {
  /** The folder of the login and of the known devices. */
  readonly home: string;
  readonly environment: Environment;
  readonly device: string;
  readonly service: string;
  /** The fingerprint that the device's key must have; null: whatever is remembered, or met first. */
  readonly key: string | null;
  /** Tells a person; never on the standard output. */
  say(line: string): void;
}

interface Offer {
  readonly label: string;
  readonly link: string;
  readonly public_key: string;
  readonly online: boolean;
  readonly services: readonly string[];
}

/** Finds out where a tunnel leads and which key must answer there. @throws AgentFailure */
export async function tunnelTarget(options: TunnelOptions): Promise<TunnelTarget> {
  const { environment, service, say } = options;
  const label = options.device.toLowerCase();
  const home = new Home(options.home);
  const { cloud, token } = await loginOf(home, environment);
  if (!isTcpService(service)) {
    throw new AgentFailure(`"${service}" is no name of a service.`, exitCodes.usage);
  }
  const answer = await get(cloud, `/api/tunnels/${encodeURIComponent(label)}`, token);
  if (answer.status !== 200) throw refused(answer.status, problemOf(answer));
  const offer = answer.body as Offer;
  const publicKey = await pinnedKey(
    home,
    { cloud, label, publicKey: offer.public_key },
    options.key,
    say,
  );
  if (!offer.online) say(`"${label}" is not connected now.`);
  else if (!offer.services.includes(service)) {
    const offered = offer.services.join(", ") || "nothing";
    throw new AgentFailure(`"${label}" offers no "${service}"; it offers ${offered}.`);
  }
  return { link: offer.link, token, service, publicKey };
}

function refused(status: number, problem: string): AgentFailure {
  switch (status) {
    case 401:
      return new AgentFailure("The access token is not good, or it ended.");
    case 403:
      return new AgentFailure("The access token lacks the scope devices:connect.");
    case 404:
      return new AgentFailure("There is no such device, or you may not open tunnels to it.");
    default:
      return new AgentFailure(`The cloud refused: ${problem}`);
  }
}

/** Listens on this machine alone; each connection is a tunnel of its own. */
export async function listen(
  target: TunnelTarget,
  port: number,
  say: (line: string) => void,
): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (local) => {
    void carry(target, local, say);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE" ? "is taken" : `cannot be used: ${error.message}`;
      reject(new AgentFailure(`Port ${port} ${taken}.`));
    });
    server.listen(port, "127.0.0.1", resolve);
  });
  return server;
}

async function carry(target: TunnelTarget, local: Socket, say: (line: string) => void) {
  local.on("error", () => undefined); // told by its close
  try {
    const remote = await openTunnel(target);
    if (local.destroyed) remote.destroy();
    else join(remote, local);
  } catch (error) {
    local.destroy();
    if (!(error instanceof AgentFailure)) throw error;
    say(error.message);
  }
}
