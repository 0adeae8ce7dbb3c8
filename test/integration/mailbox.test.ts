/** The mailbox of this machine: it goes on when an edge that was sending is killed. */

import { createConnection, type Socket } from "node:net";
import { createTransport } from "nodemailer";
import { expect, it, onTestFinished } from "vitest";
import { type Mailbox, startMailbox } from "../../scripts/local/mailbox.ts";

const FROM = "latchkey@example.test";

/** Opens a mail transaction, says no more, and returns once the relay is in it. */
async function beginMail(mailbox: Mailbox): Promise<Socket> {
  const { port } = new URL(mailbox.smtpUrl);
  const socket = createConnection({ host: "127.0.0.1", port: Number(port) });
  const replies = socket.setEncoding("utf8")[Symbol.asyncIterator]();
  for (const line of ["EHLO edge", `MAIL FROM:<${FROM}>`]) {
    await replies.next();
    socket.write(`${line}\r\n`);
  }
  await replies.next();
  return socket;
}

it("takes the next mail after a sender was cut off in the middle of one", async () => {
  const mailbox = await startMailbox();
  onTestFinished(() => mailbox.close());
  const cut = await beginMail(mailbox);
  cut.resetAndDestroy();
  const transport = createTransport(mailbox.smtpUrl);
  await transport.sendMail({ from: FROM, to: "a@example.test", subject: "After", text: "here" });
  expect((await mailbox.next("a@example.test")).subject).toBe("After");
});
