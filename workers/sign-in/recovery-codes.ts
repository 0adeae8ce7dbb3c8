/**
 * Recovery codes: ten of 60 bits each, on paper, for the day the second step is lost. They are shown
 * once and kept as a keyed hash with the account, so a stolen database opens nothing.
 */

import { replaceRecoveryCodes, useRecoveryCode } from "../../db/queries/second-steps.ts";
import { recoveryCodesLeft } from "../../db/queries/sign-ins.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import { notice } from "../account/notices.ts";
import type { Db, Ports } from "../ports.ts";
import type { Client } from "./client.ts";

/** Crockford's Base32: no letter that looks like a digit or another letter. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const LETTERS = 12;
const GROUP = /.{4}(?=.)/g;

/** A new code, e.g. `7k2m-p0qx-9ert`. */
export function newRecoveryCode(bytes: (count: number) => Uint8Array): string {
  const letters = [...bytes(LETTERS)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
  return letters.replace(GROUP, "$&-");
}

/** A code as it was typed from paper, in the form it is kept in; null when it is none. */
export function normalizeRecoveryCode(text: string): string | null {
  const letters = text
    .toLowerCase()
    .replace(/[\s\u2010-\u2015-]/g, "")
    .replace(/o/g, "0")
    .replace(/[il]/g, "1");
  const valid = letters.length === LETTERS && [...letters].every((one) => ALPHABET.includes(one));
  return valid ? letters.replace(GROUP, "$&-") : null;
}

const hashOf = (ports: Ports, accountId: string, code: string): Promise<string> =>
  ports.names.hash("recovery-code", `${accountId}\n${code}`);

/** Makes an account's recovery codes anew; the ones from before are gone. */
export async function makeRecoveryCodes(
  ports: Ports,
  db: Db,
  accountId: string,
  client: Client,
): Promise<string[]> {
  const codes = Array.from({ length: limits.recoveryCodes }, () =>
    newRecoveryCode(ports.random.bytes),
  );
  const hashes = await Promise.all(codes.map((code) => hashOf(ports, accountId, code)));
  await replaceRecoveryCodes(db, accountId, hashes, ports.clock.now());
  await note(ports, accountId, "recovery-codes-made", { client });
  return codes;
}

/** True when `typed` is an unused code of the account, which it uses up. Its owner is told. */
export async function takeRecoveryCode(
  ports: Ports,
  db: Db,
  accountId: string,
  typed: string,
  client: Client,
): Promise<boolean> {
  const code = normalizeRecoveryCode(typed);
  if (code === null) return false;
  const hash = await hashOf(ports, accountId, code);
  if (!(await useRecoveryCode(db, accountId, hash, ports.clock.now()))) return false;
  const left = await recoveryCodesLeft(db, accountId);
  const about = left === 1 ? "1 is" : `${left} are`;
  await note(ports, accountId, "recovery-code-used", { client, about: String(left) });
  notice(ports, accountId, "recovery-code-used", { client, about });
  return true;
}
