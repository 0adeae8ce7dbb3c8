/**
 * Short codes to type: six digits that came by mail or as a text message. Each belongs to a challenge
 * whose secret the browser holds, so whoever reads only the message, or holds only the browser, has
 * nothing; and a challenge bears a few wrong codes only.
 */

import { limits } from "../../protocol/limits.ts";
import { equalInConstantTime } from "../../protocol/tokens.ts";
import type { Ports, Random } from "../ports.ts";

const CODE_LENGTH = 6;

/** Six random digits, each as likely as any other. */
export function newCode(random: Random): string {
  let code = "";
  while (code.length < CODE_LENGTH) {
    for (const byte of random.bytes(CODE_LENGTH * 2)) {
      // 250 is the largest multiple of 10 below 256; larger values would favor the first digits.
      if (byte < 250 && code.length < CODE_LENGTH) code += String(byte % 10);
    }
  }
  return code;
}

/** What was typed, without the blanks that people and messages put between digits. */
export const typedCode = (text: string): string => text.replace(/[\s-]/g, "");

/**
 * Checks a code against its challenge, and counts the try first, also against those made at once.
 * - `spent`: too many tries; the challenge is to be dropped
 * @param code what was sent; the empty text matches nothing, for challenges that were sent to nobody
 */
export async function tryCode(
  ports: Ports,
  tokenHash: string,
  { code, typed }: { readonly code: string; readonly typed: string },
): Promise<"right" | "wrong" | "spent"> {
  const { challengeAttempts: max, challengeMs: windowMs } = limits;
  if (!(await ports.limits.take("code", tokenHash, max, windowMs))) return "spent";
  return code !== "" && equalInConstantTime(code, typedCode(typed)) ? "right" : "wrong";
}
