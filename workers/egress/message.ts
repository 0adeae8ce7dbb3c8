/**
 * A mail as it goes over the wire: plain text and five headers (RFC 5322, RFC 2047). The mail library
 * could build any message there is, and would weigh twice as much as all that is sent here. Pure.
 */

import { encode, wrap } from "nodemailer/lib/qp";

export interface PlainMail {
  /** `Name <address>` or an address. */
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Unique among all mails; letters and digits. */
  readonly id: string;
}

const LINE_BYTES = 76;
const WORD_BYTES = 39; // of text in an encoded word: with the field before it, it stays within a line

/** The address of `Name <address>`, for the envelope. */
export function addressOf(mailbox: string): string {
  return (/<([^<>]*)>\s*$/.exec(mailbox)?.[1] ?? mailbox).trim();
}

/** The whole message, with CRLF line ends. No field can end its line and begin another header. */
export function plainMessage({ from, to, subject, text, at, id }: PlainMail): string {
  const sender = addressOf(from);
  const name = from.includes("<") ? from.slice(0, from.lastIndexOf("<")).trim() : "";
  const domain = sender.slice(sender.lastIndexOf("@") + 1);
  const headers = {
    From: name === "" ? sender : `${inHeader(unquoted(name))} <${oneLine(sender)}>`,
    To: oneLine(to),
    Subject: inHeader(subject),
    Date: new Date(at).toUTCString().replace("GMT", "+0000"),
    "Message-ID": `<${id}@${oneLine(domain)}>`,
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Transfer-Encoding": "quoted-printable",
  };
  const lines = Object.entries(headers).map(([field, value]) => `${field}: ${value}`);
  const body = wrap(encode(text.replace(/\r?\n/g, "\r\n")), LINE_BYTES);
  return [...lines, "", body].join("\r\n");
}

const oneLine = (value: string): string => value.replace(/[\r\n\0]+/g, " ").trim();
const unquoted = (name: string): string => name.replace(/^"(.*)"$/, "$1").replace(/\\(.)/g, "$1");

/** A header's text: as it is where it is plain, else in encoded words that no reader can split wrongly. */
function inHeader(value: string): string {
  const line = oneLine(value);
  // Short and of harmless characters only; anything else is wrapped up whole.
  if (/^[A-Za-z0-9 !?'.,:;/+*-]*$/.test(line) && line.length < LINE_BYTES - 10) return line;
  const words: string[] = [];
  let bytes: number[] = [];
  for (const character of line) {
    const next = [...new TextEncoder().encode(character)];
    if (bytes.length + next.length > WORD_BYTES) {
      words.push(encodedWord(bytes));
      bytes = [];
    }
    bytes.push(...next);
  }
  return [...words, encodedWord(bytes)].join("\r\n ");
}

const encodedWord = (bytes: readonly number[]): string =>
  `=?utf-8?B?${btoa(String.fromCharCode(...bytes))}?=`;
