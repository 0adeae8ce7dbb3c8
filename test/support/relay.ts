/** A mail relay that wants a password, may refuse, and counts: what a provider's relay does. */

import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import PostalMime from "postal-mime";
import { SMTPServer } from "smtp-server";

export interface Relay {
  /** With the user and the password that it wants. */
  readonly smtpUrl: string;
  readonly wrongUrl: string;
  /** What it took, in order. */
  readonly taken: { readonly to: string; readonly from: string; readonly text: string }[];
  /** While true it refuses every recipient (550). */
  refusing: boolean;
  close(): Promise<void>;
}

const USER = "keys@latchkey.test";
const PASSWORD = "p@ss: word/%";

/** Starts the relay on a free loopback port. */
export async function startRelay(): Promise<Relay> {
  const taken: Relay["taken"] = [];
  const server = new SMTPServer({
    authMethods: ["PLAIN", "LOGIN"],
    allowInsecureAuth: true,
    disabledCommands: ["STARTTLS"],
    onAuth({ username, password }, _session, done) {
      if (username === USER && password === PASSWORD) done(null, { user: username });
      else done(new Error("wrong user or password"));
    },
    onRcptTo(_address, _session, done) {
      done(relay.refusing ? Object.assign(new Error("no"), { responseCode: 550 }) : null);
    },
    onData(stream, session, done) {
      PostalMime.parse(Readable.toWeb(stream) as unknown as ReadableStream)
        .then((mail) => {
          for (const { address } of session.envelope.rcptTo) {
            taken.push({ to: address, from: mail.from?.address ?? "", text: mail.text ?? "" });
          }
          done();
        })
        .catch(done);
    },
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.server.address() as AddressInfo;
  const url = (password: string) =>
    `smtp://${encodeURIComponent(USER)}:${encodeURIComponent(password)}@localhost:${port}`;
  const relay: Relay = {
    smtpUrl: url(PASSWORD),
    wrongUrl: url("another"),
    taken,
    refusing: false,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
  return relay;
}
