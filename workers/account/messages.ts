/**
 * The messages of an account's address book and of getting back into it: plain text, plain words, no
 * link but ours; text messages have none at all (NOT-2, NOT-5).
 */

import { span } from "../../db/data-map/periods.ts";
import { limits } from "../../protocol/limits.ts";
import type { Words } from "../sign-in/send.ts";

const MINUTES = limits.challengeMs / 60_000;

/** Carries the code that adds an address. */
export function contactWords(code: string): Words {
  const what = `${code} is the code to add this address to a Latchkey account. It works once, within ${MINUTES} minutes.`;
  return {
    subject: "Your Latchkey code",
    mail: [
      what,
      "Type it on the page that asked. If that was not you, do nothing: without the code nobody can add your address, and we forget it.",
    ],
    sms: `${what.replace("this address", "this number")} If you did not ask for it, do nothing.`,
  };
}

/** Answers somebody who adds an address of another account: only its reader learns so. */
export function contactTakenWords(origin: string): Words {
  const what =
    "someone, probably you, tried to add this address to a Latchkey account. It belongs to one already, so nothing was changed.";
  return {
    subject: "This address has a Latchkey account already",
    mail: [
      what,
      `To move it, sign in to the account that has it and remove it there:\n${origin}/account/addresses`,
      "If this was not you, do nothing.",
    ],
    sms: "Someone, probably you, tried to add this number to a Latchkey account. It belongs to one already; nothing was changed.",
  };
}

/** Goes to the address that was given up; brings it back. */
export function undoWords(
  origin: string,
  { token, what }: { readonly token: string; readonly what: "changed" | "removed" },
): Words {
  const days = span(limits.addressUndoMs);
  const did =
    what === "changed"
      ? "the notices of your Latchkey account go to another address from now on, not to this one."
      : "this address was removed from your Latchkey account.";
  return {
    subject: "Your Latchkey account has another address",
    mail: [
      did,
      "If this was you, there is nothing to do. If it was not, take it back:",
      `${origin}/undo?token=${token}`,
      `The link works once, within ${days}. It makes this address the main one again, removes addresses, passkeys and other ways in that were added lately, ends every session, forgets every trusted browser, and lets you choose a new password.`,
    ],
    sms: "",
  };
}

/** Tells every channel that somebody waits to get in without the second step. */
export function recoveryWords(
  origin: string,
  { token, opens }: { readonly token: string; readonly opens: string },
): Words {
  return {
    subject: "Somebody asked to get into your Latchkey account without its second step",
    mail: [
      "somebody, perhaps you, took the first step of signing in to your Latchkey account and says that the second is lost.",
      `From ${opens} on, whoever can take the first step again and reads your mail gets in, and the second step is switched off.`,
      "If this was not you, stop it, then change your password:",
      `${origin}/recovery/stop?token=${token}`,
      "A sign-in with the second step stops it too.",
    ],
    sms: `Somebody, perhaps you, asked to get into your Latchkey account without its second step. It opens on ${opens}. To stop it, sign in with your second step and change your password.`,
  };
}

/** The wait is over: carries what finishes it. */
export function recoveryOpenWords(
  origin: string,
  { token, code }: { readonly token: string; readonly code: string },
): Words {
  return {
    subject: "Get into your Latchkey account without its second step",
    mail: [
      "the waiting time is over. Open this link in the browser that is signing in:",
      `${origin}/recovery/finish?token=${token}`,
      `The link works once, within ${MINUTES} minutes. It switches the second step off. If this was not you, change your password now.`,
    ],
    sms: `${code} is the code that switches the second step of your Latchkey account off. It works for ${MINUTES} minutes. If you did not ask for it, change your password now.`,
  };
}
