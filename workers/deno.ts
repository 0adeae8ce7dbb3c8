/**
 * The entry on Deno: `deno task serve`. One process with libSQL and the devices' objects inside it;
 * it never reaches for Cloudflare.
 */

import { cautionsOf } from "./config.ts";
import { startDenoEdge } from "./deno/edge.ts";
import { checkClients, readSettings, StartError } from "./deno/settings.ts";

try {
  const settings = readSettings(Deno.args, Deno.env.toObject(), Deno.cwd());
  await checkClients(settings.config);
  const edge = await startDenoEdge(settings);
  let closing = false;
  const stop = async () => {
    if (closing) Deno.exit(1);
    closing = true;
    await edge.close();
    Deno.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => void stop());
  }
  Deno.addSignalListener("SIGHUP", async () => {
    await edge.sweep();
    console.error("Swept.");
  });
  const { origin, smtpUrl, mailPage } = settings.config;
  console.error(`Latchkey on ${origin}, data in ${settings.data}`);
  if (mailPage !== null) console.error(`Mails are shown on ${mailPage}`);
  for (const { sentence } of cautionsOf(settings.config)) console.error(sentence);
  if (smtpUrl === null) console.error("No mail can be sent: SMTP_URL is not set.");
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  Deno.exit(1);
}
