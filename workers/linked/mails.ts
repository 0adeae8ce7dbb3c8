/** The mail of a sign-up with an account elsewhere: plain text, and no link but ours (NOT-2). */

import { limits } from "../../protocol/limits.ts";
import type { MailMessage } from "../ports.ts";

/** Carries the link that goes on with the sign-up, for whoever has the account elsewhere too. */
export function verifyLinkedMail(
  origin: string,
  to: string,
  provider: { readonly id: string; readonly title: string },
  token: string,
): MailMessage {
  return {
    to,
    subject: "Confirm your address for Latchkey",
    text: [
      "Hello,",
      `someone, probably you, opened a Latchkey account with this address and an account at ${provider.title}. To confirm the address, open:`,
      `${origin}/sign-up/with/${provider.id}/verify?token=${token}`,
      `The page asks you to sign in at ${provider.title} once more, so that nobody else can enter.`,
      `The link works once, within ${limits.challengeMs / 60_000} minutes. If this was not you, do nothing: without the link there is no account, and we forget the address.`,
      "Latchkey",
    ].join("\n\n"),
  };
}
