/** What the person who starts `deno task serve` decides: options, variables, and sentences when they are wrong. */

import { isAbsolute, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Config, readConfig } from "../config.ts";

/** A start that cannot go on; the message is a sentence for a person. */
export class StartError extends Error {}

export interface Settings {
  readonly port: number;
  /** The address to listen on. */
  readonly host: string;
  /** The folder that holds everything. */
  readonly data: string;
  readonly config: Config;
}

export const help = `deno task serve [--port 8787] [--host 127.0.0.1] [--data .latchkey-deno]

  --port   the port to listen on
  --host   the address to listen on; 0.0.0.0 for all
  --data   the folder that holds everything

Without ORIGIN it runs for trying out on this machine, and shows mails on a page. For real use set
ORIGIN, LINK_ZONE, DDNS_ZONE, REGIONS, SOURCE_ADDRESS and MAIL_FROM, and SMTP_URL so that mail can be
sent. They are explained in workers/config.ts.`;

const DEFAULT_PORT = "8787";
const DEFAULT_DATA = ".latchkey-deno";

/** @throws StartError with a sentence */
export function readSettings(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  folder: string,
): Settings {
  const values = optionsOf(args);
  const port = Number(values.port ?? DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StartError("--port must be a number from 1 to 65535.");
  }
  const data = values.data ?? DEFAULT_DATA;
  if (data === "") throw new StartError("--data must name a folder.");
  const variables = environment.ORIGIN ? environment : { ...local(port), ...given(environment) };
  return {
    port,
    host: values.host ?? "127.0.0.1",
    data: isAbsolute(data) ? data : resolve(folder, data),
    config: configOf(variables),
  };
}

function optionsOf(args: readonly string[]): { port?: string; host?: string; data?: string } {
  const option = { type: "string" } as const;
  try {
    return parseArgs({ args: [...args], options: { port: option, host: option, data: option } })
      .values;
  } catch (error) {
    throw new StartError(`${error instanceof Error ? error.message : error}\n\n${help}`);
  }
}

function configOf(variables: Readonly<Record<string, string | undefined>>): Config {
  try {
    return readConfig(variables);
  } catch (error) {
    throw notRight(error instanceof TypeError ? new Error("ORIGIN must be a URL.") : error);
  }
}

/** Reads the list of clients now, so that a wrong one is told of at once. @throws StartError */
export async function checkClients(config: Config): Promise<void> {
  await config.openidClients().catch((error: unknown) => Promise.reject(notRight(error)));
}

const notRight = (error: unknown) =>
  new StartError(`The configuration is not right: ${(error as Error).message}`);

/** For trying out on this machine. */
function local(port: number): Record<string, string> {
  return {
    ORIGIN: `http://localhost:${port}`,
    LINK_ZONE: "link.localhost",
    DDNS_ZONE: "ddns.test",
    REGIONS: "home:At_home:home",
    SOURCE_ADDRESS: "socket",
    ALLOW_SPECIAL_ADDRESSES: "yes",
    NETWORK_LIMIT_FACTOR: "50",
    MAIL_FROM: "Latchkey <keys@latchkey.test>",
  };
}

/** The variables that are set to something. */
function given(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value));
}
