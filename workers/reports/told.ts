/** Telling an owner or a reporter: in the background, so that it never fails what it tells of. */

import { contactsOf, noticeChannel } from "../account/notices.ts";
import type { Ports } from "../ports.ts";
import { sendWords, type Words } from "../sign-in/send.ts";

/** Writes to an account's owner, where its notices go. */
export function tellOwner(ports: Ports, accountId: string, words: Words): void {
  const told = async () => {
    for (const contact of noticeChannel(await contactsOf(ports, accountId))) {
      await sendWords(ports, contact, words);
    }
  };
  inBackground(ports, told);
}

/** Writes to the address that a reporter left. */
export function tellReporter(ports: Ports, address: string, words: Words): void {
  inBackground(ports, () => sendWords(ports, { kind: "email", text: address }, words));
}

function inBackground(ports: Ports, work: () => Promise<void>): void {
  const quiet = async () => {
    try {
      await work();
    } catch {
      ports.log({ event: "notice-failed", code: "door" });
    }
  };
  ports.background(quiet());
}
