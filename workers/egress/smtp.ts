/**
 * Mail over SMTP with nodemailer, in workerd, Deno and Node. Part of the egress gate: nobody else may
 * call it. Only its connection is used: the rest of it (pools, well-known services, OAuth, attachments)
 * would weigh more than the console.
 *
 * The connection is opened here, because nodemailer would look the relay's name up with `node:dns`,
 * which workerd sends to a public resolver: a stranger would learn of every mail, and a relay in the
 * operator's own network would not be found. The runtime's connect resolves as the machine does.
 */

import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { parseConnectionUrl } from "nodemailer/lib/shared";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import type { Clock, Random } from "../../db/primitives.ts";
import { randomBase62 } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { addressOf, plainMessage } from "./message.ts";

const MESSAGE_ID_LENGTH = 22;

type Fields = Readonly<Record<string, string>>;

/**
 * One connection a message: an isolate holds no idle sockets. Rejects when the relay refuses.
 * @param smtpUrl `smtp[s]://user:password@host:port`, with the connection's options as its query
 */
export function smtpTransport(
  smtpUrl: string | null,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): (fields: Fields) => Promise<undefined> {
  return async ({ from = "", to = "", subject = "", text = "" }) => {
    if (smtpUrl === null) throw new Error("no mail relay is configured (SMTP_URL)");
    const id = randomBase62(MESSAGE_ID_LENGTH, random.bytes);
    const message = plainMessage({ from, to, subject, text, at: clock.now(), id });
    const envelope = { from: addressOf(from), to };
    const options = parseConnectionUrl(smtpUrl);
    const { host = "127.0.0.1", secure = false } = options;
    const socket = await openSocket(host, Number(options.port ?? (secure ? 465 : 587)), secure);
    const connection = new SMTPConnection({
      ...options,
      connection: socket,
      secured: secure,
      greetingTimeout: limits.mailStepMs,
      socketTimeout: limits.mailStepMs,
    });
    try {
      await done((next) => connection.connect(next), connection);
      const { auth } = options;
      if (auth !== undefined) {
        await done((next) => connection.login({ credentials: auth }, next), connection);
      }
      await done((next) => connection.send(envelope, message, next), connection);
    } finally {
      connection.close();
    }
  };
}

/** Waits for one step of the conversation; an error of the connection ends it too. */
function done(
  step: (next: (error?: Error | null) => void) => void,
  connection: SMTPConnection,
): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.once("error", reject);
    step((error) => {
      connection.off("error", reject);
      if (error) reject(error);
      else resolve();
    });
  });
}

function openSocket(host: string, port: number, secured: boolean): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = secured
      ? connectTls({ host, port, servername: host })
      : connectPlain({ host, port });
    const late = setTimeout(() => socket.destroy(new Error("no answer")), limits.mailStepMs);
    socket.once("error", (error) => {
      clearTimeout(late);
      reject(error);
    });
    socket.once(secured ? "secureConnect" : "connect", () => {
      clearTimeout(late);
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}
