/** `npm run dns`: a DNS front as a program. Runs on Node and on Deno. */

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { limits } from "../protocol/limits.ts";
import { type FrontOptions, startFront } from "./front.ts";
import { collectAlone } from "./heap.ts";
import { Sentence } from "./listen.ts";

const usage = `Usage: npm run dns -- [options]

  --edge <url>     the edge (http://localhost:8787)
  --host <ip>      the address to listen on (127.0.0.1)
  --port <n>       the port to listen on, UDP and TCP (5353)
  --zone <name>    the zone to hold in memory; needs --token-file
  --token-file <f> the file with the token whose SHA-256 stands in the edge's FRONT_TOKEN_HASHES
  --rate <n>       questions a second of one network (an IPv4 /24, an IPv6 /56) that UDP answers in full
  --threads <n>    how many threads answer UDP, each with the zone in memory (1)
  --help           this text

Without --zone it holds nothing and asks the edge for each answer.
`;

/** Reads the command line; null when only the usage was asked for. @throws Sentence */
export function readFrontOptions(args: readonly string[]): FrontOptions | null {
  const text = { type: "string" } as const;
  let values: Partial<
    Record<"edge" | "host" | "port" | "zone" | "token-file" | "rate" | "threads", string>
  > & { help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        ...{ edge: text, host: text, port: text, zone: text, "token-file": text, rate: text },
        threads: text,
        help: { type: "boolean", short: "h" },
      },
    }));
  } catch (error) {
    throw new Sentence(`${error instanceof Error ? error.message : error}\n\n${usage}`);
  }
  if (values.help) return null;
  const edge = values.edge ?? "http://localhost:8787";
  if (!URL.canParse(edge) || !/^https?:$/.test(new URL(edge).protocol)) {
    throw new Sentence(
      `--edge takes the edge's address, like http://localhost:8787, not "${edge}".`,
    );
  }
  const port = numberOf("--port", values.port ?? "5353", 0, 65_535);
  const rate = values.rate === undefined ? {} : { rate: numberOf("--rate", values.rate, 0, 1e9) };
  const threads = numberOf("--threads", values.threads ?? "1", 1, limits.dnsFrontThreads);
  const held = heldOf(values.zone, values["token-file"]);
  return { edge, host: values.host ?? "127.0.0.1", port, ...rate, threads, ...held };
}

function numberOf(option: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < least || number > most) {
    throw new Sentence(`${option} takes a number from ${least} to ${most}, not "${text}".`);
  }
  return number;
}

function heldOf(zone: string | undefined, file: string | undefined): Pick<FrontOptions, "held"> {
  if (zone === undefined && file === undefined) return {};
  if (zone === undefined || file === undefined) {
    throw new Sentence("--zone and --token-file go together.");
  }
  let token: string;
  try {
    token = readFileSync(file, "utf8").trim();
  } catch {
    throw new Sentence(`The token's file ${file} cannot be read.`);
  }
  if (!/^\S{32,256}$/.test(token))
    throw new Sentence(`${file} holds no token of 32 characters or more.`);
  return { held: { zone: zone.replace(/\.$/, ""), token } };
}

async function main(args: readonly string[]): Promise<void> {
  const options = readFrontOptions(args);
  if (options === null) {
    console.log(usage);
    return;
  }
  collectAlone();
  const front = await startFront({
    ...options,
    onNews: (sentence) => console.error(sentence),
    onEnd: (sentence) => {
      console.error(sentence);
      process.exit(1);
    },
  });
  const by = front.threads === 1 ? "one thread" : `${front.threads} threads`;
  console.log(
    `Answering DNS on ${options.host} port ${front.port}, UDP and TCP, by ${by}, from ${options.edge}\n` +
      `Try: dig @${options.host} -p ${front.port} <name>   (Ctrl-C stops)`,
  );
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => void front.close().then(() => process.exit(0)));
  }
}

if (import.meta.main) {
  await main(process.argv.slice(2)).catch((error) => {
    console.error(error instanceof Sentence ? error.message : error);
    process.exit(1);
  });
}
