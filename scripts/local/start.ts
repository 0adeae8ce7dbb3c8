/**
 * The main job on this machine: the edge on embedded storage, a mail relay that shows its mails, and,
 * unless `--bare`, a demo account with a demo device behind Link. Ctrl-C keeps the data.
 */

import { join } from "node:path";
import { type Demo, startDemo } from "./demo.ts";
import { type Edge, startEdge } from "./edge.ts";
import { type Mailbox, startMailbox } from "./mailbox.ts";
import {
  checkPort,
  readOptions,
  Sentence,
  type StartOptions,
  takeFolder,
  usage,
} from "./options.ts";

/** Starts everything, prints where to go, and ends the process on Ctrl-C. */
export async function start(args: readonly string[]): Promise<void> {
  const closing: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const step of closing.splice(0).reverse()) await step().catch(() => undefined);
  };
  try {
    const options = readOptions(args);
    if (options === null) {
      console.log(usage);
      return;
    }
    let ending = false;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        if (ending) process.exit(130);
        ending = true;
        if (!options.json) console.error("\nStopping. Your data stays where it is.");
        void close().then(() => process.exit(0));
      });
    }
    await run(options, closing);
  } catch (error) {
    await close();
    console.error(error instanceof Sentence ? error.message : error);
    process.exit(1);
  }
}

async function run(options: StartOptions, closing: (() => Promise<unknown>)[]): Promise<void> {
  closing.push(await takeFolder(options.data));
  await checkPort(options.port);
  const mailbox = await startMailbox();
  closing.push(() => mailbox.close());
  const edge = await openEdge(options, mailbox);
  closing.push(() => edge.close());
  const demo = options.bare
    ? null
    : await startDemo({ edge, mailbox, folder: join(options.data, "demo") });
  if (demo !== null) closing.push(() => demo.close());
  if (options.json) console.log(JSON.stringify(ready(edge, demo)));
  else console.log(greeting(edge, mailbox, demo, options));
}

async function openEdge(options: StartOptions, mailbox: Mailbox): Promise<Edge> {
  try {
    return await startEdge({
      data: join(options.data, "edge"),
      port: options.port,
      crons: true,
      variables: {
        SMTP_URL: mailbox.smtpUrl,
        SMS_URL: mailbox.smsUrl,
        SMS_FROM: "Latchkey",
        MAIL_PAGE: mailbox.pageUrl,
        MINIMUM_AGE: process.env.MINIMUM_AGE ?? "",
      },
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new Sentence(
      `The data in ${options.data} could not be opened: ${reason}\n` +
        "Move the folder away to start afresh, or choose another with --data.",
    );
  }
}

/** The one line of `--json`. */
function ready(edge: Edge, demo: Demo | null) {
  return {
    console: edge.origin,
    api: `${edge.origin}/api`,
    linkZone: edge.linkZone,
    ddnsZone: edge.ddnsZone,
    doh: `${edge.origin}/dns-query`,
    account: demo?.account ?? null,
    device: demo?.device ?? null,
  };
}

function greeting(edge: Edge, mailbox: Mailbox, demo: Demo | null, options: StartOptions): string {
  const lines = ["", "Latchkey is running on this machine.", "", `  Console   ${edge.origin}`];
  if (demo !== null) {
    lines.push(
      `  Sign in   ${demo.account.email}  ${demo.account.password}`,
      `  Door      ${demo.device.link}   (private: it sends you to sign in)`,
      `  Name      ${demo.device.host}`,
      `  Look up   npm run dns -- --edge ${edge.origin}, then: dig @127.0.0.1 -p 5353 ${demo.device.host}`,
    );
  }
  lines.push(
    `  Mails     ${mailbox.pageUrl}`,
    `  Data      ${options.data}`,
    "",
    "Ctrl-C stops it and keeps the data.",
    "",
  );
  return lines.join("\n");
}
