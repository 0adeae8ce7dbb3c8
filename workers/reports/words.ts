/** What reporters and owners are told, in plain words: mails, and text messages without a link (NOT-5). */

import type { Closure } from "../../durable-objects/device/rpc.ts";
import type { ReportKind } from "../../protocol/reports.ts";
import type { Words } from "../sign-in/send.ts";

/** The end of a sentence: what a page was reported as. */
export const reportedAs: Readonly<Record<ReportKind, string>> = {
  phishing: "it was reported as a trap for passwords or money",
  malware: "it was reported to spread harmful programs",
  illegal: "what it shows was reported as illegal",
  rights: "what it shows was reported to break somebody’s rights",
  other: "it was reported",
};

/** How much of a door is closed, as a sentence for its owner. */
export const closedWhat: Readonly<Record<Closure["extent"], string>> = {
  open: "Strangers and links do not come in; people whom you let in by name still do.",
  all: "Nobody but you comes in: no visitor, no share, no tunnel, and its name leads nowhere.",
};

/** The statement of reasons: what was done, why, and how to object. */
export function closedWords(origin: string, door: string, deviceId: string, closure: Closure) {
  const { reason, extent, words } = closure;
  return {
    subject: `The operator closed the door of ${door}`,
    mail: [
      `the operator of Latchkey closed the door of your device ${door}, because ${reportedAs[reason]}. ${closedWhat[extent]}`,
      `The operator’s reasons, in their words:\n${words}`,
      "A person decided this, no program.",
      `If it is wrong, say so, and it is looked at again:\n${origin}/devices/${deviceId}/door#closed`,
    ],
    sms: `The operator of Latchkey closed the door of your device ${door}. Your device's page says why and how to object.`,
  } satisfies Words;
}

export function openedWords(door: string): Words {
  return {
    subject: `The door of ${door} is open again`,
    mail: [
      `the operator of Latchkey opened the door of your device ${door} again. Everything is as you set it; visitors who were let in by name come in anew.`,
    ],
    sms: `The operator of Latchkey opened the door of your device ${door} again.`,
  };
}

/** Answers an objection that changed nothing. */
export function upheldWords(origin: string, door: string, deviceId: string, words: string): Words {
  return {
    subject: `The door of ${door} stays closed`,
    mail: [
      `the operator of Latchkey read what you wrote about the closed door of your device ${door}. It stays closed.`,
      `The operator’s reasons, in their words:\n${words}`,
      `If something has changed, you can write again:\n${origin}/devices/${deviceId}/door#closed\nYou are also free to turn to a court or to a body that settles such disputes.`,
    ],
    sms: `The operator of Latchkey read your objection: the door of your device ${door} stays closed. Its page says more.`,
  };
}

/** Answers whoever reported a page. */
export function decidedWords(
  door: string,
  reference: string,
  outcome: "closed" | "dismissed",
  words: string,
): Words {
  const what =
    outcome === "closed"
      ? "We looked at it and closed its door. Thank you for telling us."
      : "We looked at it and left its door as it is. Thank you for telling us all the same.";
  return {
    subject: "What came of your report",
    mail: [
      `you reported the page of ${door} to Latchkey, reference ${reference}. ${what}`,
      ...(words === "" ? [] : [`The operator’s reasons, in their words:\n${words}`]),
      "A person decided this, no program. If you know more, report it again. Your address is not kept any longer.",
    ],
    sms: "",
  };
}
