/** The answer to whoever asked for a message: what is on its way, the same for known and unknown. */

import * as z from "zod";
import type { SignUpSent } from "./sign-up.ts";

export const messageSent = z.union([
  z.strictObject({ mail: z.literal("sent") }),
  z.strictObject({ sms: z.literal("sent"), token: z.string() }),
]);

/** By phone with the secret that the code belongs to. */
export function sentJson(sent: SignUpSent): z.infer<typeof messageSent> {
  return sent.kind === "mail" ? { mail: "sent" } : { sms: "sent", token: sent.token };
}
