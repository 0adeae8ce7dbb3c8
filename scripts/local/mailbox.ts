/**
 * A mail relay and a provider of text messages for trying out and for tests: takes real SMTP and
 * Twilio's form on loopback, keeps the last messages in memory only, and shows them on a page. It never
 * sends anything on.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import PostalMime from "postal-mime";
import { SMTPServer } from "smtp-server";

const KEPT_MESSAGES = 100;

export interface Message {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

export interface Mailbox {
  /** What the edge's `SMTP_URL` is to be. */
  readonly smtpUrl: string;
  /** What the edge's `SMS_URL` is to be. */
  readonly smsUrl: string;
  /** The page that shows the messages, newest first. */
  readonly pageUrl: string;
  readonly messages: readonly Message[];
  /** The next message to `address`, or to a phone number, including one that has come but was not taken yet. */
  next(address: string): Promise<Message>;
  close(): Promise<void>;
}

/** Starts the relay and its page on free loopback ports. */
export async function startMailbox(): Promise<Mailbox> {
  const messages: Message[] = [];
  const untaken: Message[] = [];
  const waiting: { address: string; resolve: (message: Message) => void }[] = [];

  function deliver(message: Message): void {
    messages.unshift(message);
    messages.length = Math.min(messages.length, KEPT_MESSAGES);
    const at = waiting.findIndex((waiter) => waiter.address === message.to);
    if (at >= 0) waiting.splice(at, 1)[0]?.resolve(message);
    else untaken.push(message);
    untaken.splice(0, untaken.length - KEPT_MESSAGES);
  }

  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    onData(stream, session, done) {
      PostalMime.parse(Readable.toWeb(stream) as unknown as ReadableStream)
        .then((mail) => {
          for (const recipient of session.envelope.rcptTo) {
            deliver({
              to: recipient.address,
              subject: mail.subject ?? "",
              text: (mail.text ?? "").trim(),
            });
          }
          done();
        })
        .catch(done);
    },
  });
  // A sender that is killed in the middle of a mail is that connection's end, not the mailbox's.
  smtp.on("error", () => {});
  const page = createServer((request, response) => {
    if (request.method === "POST") {
      void takeSms(request, response, deliver);
      return;
    }
    response.writeHead(200, {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
      "cache-control": "no-store",
    });
    response.end(render(messages));
  });
  const [smtpPort, pagePort] = await Promise.all([listen(smtp.server), listen(page)]);
  return {
    smtpUrl: `smtp://127.0.0.1:${smtpPort}`,
    smsUrl: `http://local:secret@127.0.0.1:${pagePort}/Messages.json`,
    pageUrl: `http://localhost:${pagePort}/`,
    messages,
    next(address) {
      const at = untaken.findIndex((message) => message.to === address);
      const [message] = at >= 0 ? untaken.splice(at, 1) : [];
      if (message !== undefined) return Promise.resolve(message);
      return new Promise((resolve) => waiting.push({ address, resolve }));
    },
    async close() {
      page.closeAllConnections();
      await Promise.all([
        new Promise<void>((resolve) => smtp.close(() => resolve())),
        new Promise<void>((resolve) => page.close(() => resolve())),
      ]);
    },
  };
}

/** A text message in Twilio's form; what is not in that form is refused as Twilio would. */
async function takeSms(
  request: IncomingMessage,
  response: ServerResponse,
  deliver: (message: Message) => void,
): Promise<void> {
  const expected = `Basic ${btoa("local:secret")}`;
  const form = new URLSearchParams(await text(request));
  const [from, to, body] = ["From", "To", "Body"].map((name) => form.get(name) ?? "");
  const known = request.url === "/Messages.json" && request.headers.authorization === expected;
  if (!known || !from || !to || !body) {
    response.writeHead(known ? 400 : 401).end();
    return;
  }
  deliver({ to, subject: "Text message", text: body });
  response.writeHead(201, { "content-type": "application/json" }).end("{}");
}

/** The first link in a message's text; throws when there is none. */
export function linkIn(message: Message): string {
  const link = /https?:\/\/\S+/.exec(message.text)?.[0];
  if (link === undefined) throw new Error(`no link in "${message.subject}"`);
  return link;
}

/** Listens on a free loopback port. */
function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

function render(messages: readonly Message[]): string {
  const list = messages
    .map(
      (message) =>
        `<article><h2>${escapeHtml(message.subject)}</h2><p>to ${escapeHtml(message.to)}</p><pre>${linked(
          escapeHtml(message.text),
        )}</pre></article>`,
    )
    .join("");
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Messages · Latchkey</title>
<meta name="viewport" content="width=device-width"><style>
:root{color-scheme:light dark;--paper:#faf8f4;--ink:#1d211f;--muted:#6a706c;--line:#e4dfd6;--door:#1e5b4f}
@media(prefers-color-scheme:dark){:root{--paper:#121513;--ink:#e9e7e1;--muted:#9aa19c;--line:#2a2f2c;--door:#6fb8a6}}
body{background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}
article{border-top:1px solid var(--line);padding:1rem 0}h2{font-size:1.1rem;margin:0}p{color:var(--muted);margin:.2rem 0}
pre{white-space:pre-wrap;overflow-wrap:anywhere}a{color:var(--door)}</style>
<h1>Messages on this machine</h1><p>Nothing leaves it: these are kept in memory until you stop Latchkey.</p>
${list || "<p>No mail and no text message yet. Reload after you sign up.</p>"}`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function linked(text: string): string {
  return text.replace(
    /https?:\/\/[^\s&]+(?:&#38;[^\s&]+)*/g,
    (link) => `<a href="${link}">${link}</a>`,
  );
}
