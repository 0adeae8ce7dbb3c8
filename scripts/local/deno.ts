/**
 * `deno task serve`. Without `ORIGIN` and `SMTP_URL` it is tried out on this machine: messages then go
 * to a page on loopback instead of nowhere, so that a person can sign up. Otherwise it only starts
 * the entry, workers/deno.ts.
 */

if (!Deno.env.get("ORIGIN") && !Deno.env.get("SMTP_URL")) {
  const { startMailbox } = await import("./mailbox.ts");
  const { smtpUrl, smsUrl, pageUrl } = await startMailbox();
  Deno.env.set("SMTP_URL", smtpUrl);
  Deno.env.set("SMS_URL", smsUrl);
  Deno.env.set("SMS_FROM", "Latchkey");
  Deno.env.set("MAIL_PAGE", pageUrl);
}

await import("../../workers/deno.ts");

export {};
