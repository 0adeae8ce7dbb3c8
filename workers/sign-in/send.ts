/**
 * Sending a person a mail or a text message: counted, and refused clearly when it cannot be. Whoever
 * was written to is never logged, nor what was written (NOT-9).
 */

import { limits } from "../../protocol/limits.ts";
import type { MailMessage, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { type Client, limitedNetwork } from "./client.ts";
import { type Contact, normalizeContact } from "./rules.ts";

/** What is said in either form; a text message is pure text, without a link (NOT-5). */
export interface Words {
  readonly subject: string;
  /** A mail's paragraphs. */
  readonly mail: readonly string[];
  readonly sms: string;
}

/**
 * An address as it was typed, if this Latchkey can write to it.
 * @throws Problem `address-syntax`; `phone-unsupported` where no text messages can be sent
 */
export function reachableContact(ports: Ports, text: string): Contact {
  const contact = normalizeContact(text);
  if (contact === null) throw new Problem("address-syntax", "address");
  if (contact.kind === "phone" && !sendsSms(ports)) {
    throw new Problem("phone-unsupported", "address");
  }
  return contact;
}

/** True where the operator configured text messages. */
export const sendsSms = (ports: Pick<Ports, "config">): boolean => ports.config.smsUrl !== null;

/**
 * Counts one message to an address, whether it has an account or not, and from a network.
 * @param hash the directory's keyed hash of the address
 * @throws Problem `too-many-tries`
 */
export async function takeMessageLimits(
  ports: Ports,
  { kind, hash }: { readonly kind: Contact["kind"]; readonly hash: string },
  client: Client,
): Promise<void> {
  const network = limitedNetwork(client.peer);
  const { mailPerNetwork, smsPerNetwork, mailPerAddress, smsPerAddress } = limits;
  const [way, perNetwork, perAddress] =
    kind === "email"
      ? (["mail", mailPerNetwork, mailPerAddress] as const)
      : (["sms", smsPerNetwork, smsPerAddress] as const);
  const free =
    (await ports.limits.take(`${way}-network`, network, perNetwork, limits.mailWindowMs)) &&
    (await ports.limits.take(`${way}-address`, hash, perAddress, limits.mailWindowMs));
  if (!free) throw new Problem("too-many-tries");
}

/** @throws Problem `mail-failed`, `sms-failed` */
export async function sendWords(ports: Ports, to: Contact, words: Words): Promise<void> {
  const { subject, mail, sms } = words;
  if (to.kind === "phone") await sendSms(ports, to.text, sms);
  else await sendMail(ports, { to: to.text, subject, text: letter(mail) });
}

/** A mail's paragraphs between greeting and name. */
export const letter = (paragraphs: readonly string[]): string =>
  ["Hello,", ...paragraphs, "Latchkey"].join("\n\n");

/** @throws Problem `mail-failed` */
export async function sendMail(ports: Ports, message: MailMessage): Promise<void> {
  try {
    await ports.mail.send(message);
  } catch (error) {
    ports.log({ event: "mail-failed", code: relayCode(error) });
    throw new Problem("mail-failed");
  }
}

/** @throws Problem `sms-failed` */
export async function sendSms(ports: Ports, to: string, text: string): Promise<void> {
  try {
    await ports.sms.send({ to, text });
  } catch {
    ports.log({ event: "sms-failed" });
    throw new Problem("sms-failed");
  }
}

/** The mail library's own word for what failed, e.g. `EAUTH`; never its text, which has addresses. */
function relayCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^E[A-Z]{2,20}$/.test(code) ? code : "unknown";
}
