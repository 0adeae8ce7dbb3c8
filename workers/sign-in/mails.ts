/**
 * The messages of sign-up: plain text, plain words, and no link but ours (NOT-2); text messages have
 * none at all (NOT-5).
 */

import { limits } from "../../protocol/limits.ts";
import type { MailMessage } from "../ports.ts";
import type { Words } from "./send.ts";

/** Carries the link that opens the account. */
export function verifyMail(origin: string, to: string, token: string): MailMessage {
  return {
    to,
    subject: "Confirm your address for Latchkey",
    text: [
      "Hello,",
      "someone, probably you, opened a Latchkey account with this address. To confirm it, open:",
      `${origin}/verify?token=${token}`,
      "The page asks for the password that was chosen then.",
      `The link works once, within ${limits.challengeMs / 60_000} minutes. If this was not you, do nothing: without the link there is no account, and we forget the address.`,
      "Latchkey",
    ].join("\n\n"),
  };
}

/** Answers a sign-up with an address that has an account: only the person who reads it learns so. */
export function alreadyMail(origin: string, to: string): MailMessage {
  return {
    to,
    subject: "You already have a Latchkey account",
    text: [
      "Hello,",
      "someone, probably you, tried to open a Latchkey account with this address. You already have one. To sign in, open:",
      `${origin}/sign-in`,
      "Nothing about your account has changed. If this was not you, do nothing.",
      "Latchkey",
    ].join("\n\n"),
  };
}

/** Carries the code that opens the account in the browser that asked. */
export function signUpSms(code: string): string {
  return `${code} is your code to open a Latchkey account. It works for ${limits.challengeMs / 60_000} minutes. Give it to nobody. If this was not you, do nothing.`;
}

/** Answers a sign-up with a number that has an account: only the person who reads it learns so. */
export function alreadySms(): string {
  return "Someone, probably you, tried to open a Latchkey account with this number. You already have one: sign in with it. Nothing has changed.";
}

/** Carries the link, or for a phone the code, that lets its reader choose a new password. */
export function resetWords(
  origin: string,
  { token, code }: { readonly token: string; readonly code: string },
): Words {
  const minutes = limits.challengeMs / 60_000;
  return {
    subject: "Choose a new Latchkey password",
    mail: [
      "someone, probably you, asked for a new password for your Latchkey account. To choose one, open:",
      `${origin}/forgot/new?token=${token}`,
      `The link works once, within ${minutes} minutes. Until then your password is what it was. If this was not you, do nothing.`,
    ],
    sms: `${code} is your code to choose a new Latchkey password. It works for ${minutes} minutes. Give it to nobody. If this was not you, do nothing.`,
  };
}
