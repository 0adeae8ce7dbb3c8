/**
 * Mail over SMTP with nodemailer, in workerd, Deno and Node. Part of the egress gate: nobody else may
 * call it.
 *
 * The connection is opened here, because nodemailer would look the relay's name up with `node:dns`,
 * which workerd sends to a public resolver: a stranger would learn of every mail, and a relay in the
 * operator's own network would not be found. The runtime's connect resolves as the machine does.
 */

import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { createTransport } from "nodemailer";
import { limits } from "../../protocol/limits.ts";

type Fields = Readonly<Record<string, string>>;

/** One connection a message: an isolate holds no idle sockets. Rejects when the relay refuses. */
export function smtpTransport(smtpUrl: string | null): (fields: Fields) => Promise<undefined> {
  return async (fields) => {
    if (smtpUrl === null) throw new Error("no mail relay is configured (SMTP_URL)");
    const transport = createTransport({
      url: smtpUrl,
      greetingTimeout: limits.mailStepMs,
      socketTimeout: limits.mailStepMs,
      disableFileAccess: true,
      disableUrlAccess: true,
      getSocket({ host, port, secure }, callback) {
        const secured = secure === true;
        openSocket(host ?? "127.0.0.1", Number(port ?? (secured ? 465 : 587)), secured).then(
          (connection) => callback(null, { connection, secured }),
          (error: Error) => callback(error, {}),
        );
      },
    });
    try {
      await transport.sendMail({ ...fields });
    } finally {
      transport.close();
    }
  };
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
