/** What the routes that sign somebody in answer, as the API's documents say it. */

import * as z from "zod";
import { json, time } from "../described.ts";

const newSession = z.strictObject({
  account_id: z.string(),
  session_id: z.string(),
  token: z.string(),
  expires_at: time,
});
const secondStep = z.strictObject({
  second_step: z.strictObject({
    token: z.string(),
    offers: z.array(z.enum(["totp", "sms", "recovery-code", "passkey"])),
    expires_at: time,
  }),
});

/** The responses of every route that signs somebody in. */
export const signInResponses = {
  201: json(newSession, "Signed in"),
  202: json(secondStep, "The account asks for a second step"),
};
