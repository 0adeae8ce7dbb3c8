/**
 * Security notices: what a person is told about their account whether they asked for it or not. The
 * list is closed, nothing switches a notice off, and none carries anything else (NOT-1, NOT-2). They
 * go by mail; as a text message, in pure text, only to a person who gave no mail address (NOT-4,
 * NOT-5). Sending happens in the background and never fails what it tells of.
 */

import { identifiersOf, personKey, sealedAt } from "../../db/queries/accounts.ts";
import { limits } from "../../protocol/limits.ts";
import { sayExact } from "../../protocol/times.ts";
import type { Ports } from "../ports.ts";
import { browserName, type Client, maskedNetwork } from "../sign-in/client.ts";
import type { Contact } from "../sign-in/rules.ts";

interface Notice {
  readonly subject: string;
  /** One sentence; `…` stands where `about` goes. */
  readonly says: string;
  /** The sentence without `about`, for text messages and where nothing is known. */
  readonly short: string;
  /** The page of the console where its reader can do something about it. */
  readonly page: string;
  /** What to do about it, where nobody did anything: in a mail, before the page, and in a text message. */
  readonly act?: { readonly mail: string; readonly sms: string };
}

/** Every notice there is. */
export const notices = {
  "new-sign-in": {
    subject: "A new sign-in to your Latchkey account",
    says: "somebody, probably you, signed in with a browser or from a network that is new to your account.",
    short: "a sign-in with a new browser or from a new network.",
    page: "/sessions",
  },
  "password-changed": {
    subject: "Your Latchkey password was changed",
    says: "the password of your account was changed.",
    short: "your password was changed.",
    page: "/account",
  },
  "second-step-on": {
    subject: "A second step is on",
    says: "a second step at sign-in was switched on: …. Every trusted browser is asked for it again.",
    short: "a second step at sign-in was switched on.",
    page: "/account/second-step",
  },
  "second-step-off": {
    subject: "A second step is off",
    says: "a second step at sign-in was switched off: …. Every trusted browser was forgotten.",
    short: "a second step at sign-in was switched off.",
    page: "/account/second-step",
  },
  "second-step-guessed": {
    subject: "Somebody tries codes for your Latchkey account",
    says: "somebody took the first step of your sign-in and typed too many wrong codes for the second. They were not let in.",
    short: "somebody took the first step of your sign-in and failed at the second.",
    page: "/account/second-step",
  },
  "recovery-codes-made": {
    subject: "New recovery codes for your Latchkey account",
    says: "new recovery codes were made. The ones from before do not work any more.",
    short: "new recovery codes were made.",
    page: "/account/second-step",
  },
  "recovery-code-used": {
    subject: "A recovery code was used",
    says: "a recovery code was used in place of the second step. … left.",
    short: "a recovery code was used.",
    page: "/account/second-step",
  },
  "passkey-added": {
    subject: "A passkey was added to your Latchkey account",
    says: "a passkey was added: ….",
    short: "a passkey was added.",
    page: "/account/passkeys",
  },
  "passkey-removed": {
    subject: "A passkey was removed from your Latchkey account",
    says: "a passkey was removed: ….",
    short: "a passkey was removed.",
    page: "/account/passkeys",
  },
  linked: {
    subject: "An account elsewhere opens your Latchkey account",
    says: "an account elsewhere was linked to yours and can sign in to it: ….",
    short: "an account elsewhere was linked to yours.",
    page: "/account/linked",
  },
  unlinked: {
    subject: "An account elsewhere was unlinked",
    says: "an account elsewhere was unlinked from yours: ….",
    short: "an account elsewhere was unlinked from yours.",
    page: "/account/linked",
  },
  "address-added": {
    subject: "An address was added to your Latchkey account",
    says: "an address was added to your account: ….",
    short: "an address was added to your account.",
    page: "/account",
  },
  "address-removed": {
    subject: "An address was removed from your Latchkey account",
    says: "an address was removed from your account: ….",
    short: "an address was removed from your account.",
    page: "/account",
  },
  "address-changed": {
    subject: "The address of your Latchkey account was changed",
    says: "the address that your account's notices go to was changed: ….",
    short: "the address of your account was changed.",
    page: "/account",
  },
  "recovery-asked": {
    subject: "Somebody asked to get into your Latchkey account without its second step",
    says: "somebody, perhaps you, asked to get into your account without its second step. It opens …, unless you stop it.",
    short: "somebody asked to get into your account without its second step.",
    page: "/account",
  },
  "recovery-stopped": {
    subject: "Getting into your Latchkey account without its second step was stopped",
    says: "the request to get into your account without its second step was stopped.",
    short: "the request to get in without the second step was stopped.",
    page: "/account",
  },
  recovered: {
    subject: "Your Latchkey account was recovered",
    says: "your account was opened again without its second step, which is off now.",
    short: "your account was recovered; its second step is off.",
    page: "/account/second-step",
  },
  "token-made": {
    subject: "A personal access token was made",
    says: "a personal access token was made: …. Programs that hold it act as you.",
    short: "a personal access token was made.",
    page: "/account",
  },
  "app-allowed": {
    subject: "An app was let in to your Latchkey account",
    says: "an app was let in to your account: ….",
    short: "an app was let in to your account.",
    page: "/account/apps",
  },
  "device-added": {
    subject: "A device was added to your Latchkey account",
    says: "a device was added to your account: ….",
    short: "a device was added to your account.",
    page: "/devices",
  },
  "domain-lost": {
    subject: "A domain of yours leads to your device no more",
    says: "DNS leads a domain of yours to your device no more: …. If you did not change it, see who did.",
    short: "a domain of yours leads to your device no more.",
    page: "/devices",
  },
  "name-token-idle": {
    subject: "A password of your device's name ends, for nobody uses it",
    says: "nobody has used these passwords of a device's name for months. Unless a router or a program uses them before, they end by themselves, the first on ….",
    short: "a password of a device's name ends soon, for nobody uses it.",
    page: "/devices",
    act: {
      mail: "If nothing needs it any more, there is nothing to do. It stands at:",
      sms: "If nothing needs it any more, there is nothing to do.",
    },
  },
} as const satisfies Record<string, Notice>;

export type NoticeKind = keyof typeof notices;

export interface NoticeDetails {
  /** Who did it; absent where it happened by itself. */
  readonly client?: Client;
  /** What it is about, e.g. a passkey's name. */
  readonly about?: string;
  /** True where every channel is to hear it, for what could be a takeover. */
  readonly everywhere?: boolean;
  /** What still gets in after it, by name; a mail says so, and where to end it. */
  readonly still?: readonly string[];
}

/** Tells the owner of an account, in the background. */
export function notice(
  ports: Ports,
  accountId: string,
  kind: NoticeKind,
  details: NoticeDetails = {},
): void {
  const at = ports.clock.now();
  const told = async () => {
    const own = await contactsOf(ports, accountId);
    const to = details.everywhere ? own : noticeChannel(own);
    await Promise.all(to.map((contact) => tell(ports, contact, kind, { ...details, at })));
  };
  ports.background(told());
}

/** Tells the reader of one address, in the background: one that was the account's a moment ago. */
export function noticeTo(
  ports: Ports,
  contact: Contact,
  kind: NoticeKind,
  details: NoticeDetails = {},
): void {
  ports.background(tell(ports, contact, kind, { ...details, at: ports.clock.now() }));
}

/**
 * Where a notice goes, of the addresses of an account with the primary first: to its mail, and to a
 * phone only where there is no mail (NOT-4).
 */
export function noticeChannel(contacts: readonly Contact[]): readonly Contact[] {
  const mail = contacts.find(({ kind }) => kind === "email");
  return [mail ?? contacts[0]].filter((contact) => contact !== undefined);
}

/** The verified addresses of an account, the primary first; none when it was erased. */
export async function contactsOf(ports: Ports, accountId: string): Promise<Contact[]> {
  const db = ports.regions.db(accountId);
  const rows = db === null ? [] : await identifiersOf(db, accountId);
  const opened = rows.map(async ({ id, kind, addressSealed }) => {
    const text = await ports.sealer.open(personKey(accountId), sealedAt.address(id), addressSealed);
    return text === null ? null : { kind, text };
  });
  return (await Promise.all(opened)).filter((contact) => contact !== null);
}

type Told = NoticeDetails & { readonly at: number };

async function tell(ports: Ports, contact: Contact, kind: NoticeKind, told: Told): Promise<void> {
  try {
    if (contact.kind === "phone") {
      await ports.sms.send({ to: contact.text, text: noticeText(kind, told) });
    } else {
      await ports.mail.send({ to: contact.text, ...noticeMail(ports.config.origin, kind, told) });
    }
  } catch {
    ports.log({ event: "notice-failed", code: contact.kind });
  }
}

/** A notice as a text message: pure text, no link, and nothing that somebody else could have named. */
export function noticeText(kind: NoticeKind, { at }: Told): string {
  const { short, act }: Notice = notices[kind];
  // What somebody did has its time; what is to come has none yet.
  return `Latchkey: ${short} ${act?.sms ?? `When: ${sayExact(at)}. ${ASKS.sms}`}`;
}

const ASKS = {
  mail: "If this was you, there is nothing to do. If it was not, look at:",
  sms: "Was it not you? Look at your account.",
};

/** A notice as a mail. */
export function noticeMail(origin: string, kind: NoticeKind, told: Told) {
  const { client, about, at, still = [] } = told;
  const { subject, says, short, page, act = ASKS }: Notice = notices[kind];
  const sentence = says.includes("…") && about === undefined ? short : says;
  const where = client === undefined ? [] : [`With: ${whoOf(client)}`];
  return {
    subject,
    text: [
      "Hello,",
      sentence.replace("…", () => oneLine(about ?? "")),
      [`When: ${sayExact(at)}`, ...where].join("\n"),
      ...stillIn(origin, still),
      `${act.mail}\n${origin}${page}`,
      "Latchkey",
    ].join("\n\n"),
  };
}

/** The paragraph of what still gets in; none where nothing does. */
function stillIn(origin: string, still: readonly string[]): string[] {
  if (still.length === 0) return [];
  const lines = still.slice(0, limits.noticeNames).map((name) => `- ${oneLine(name)}`);
  const more = still.length - lines.length;
  if (more > 0) lines.push(`- and ${more} more`);
  return [
    `These do not use your password, and still get in:\n${lines.join("\n")}`,
    `End them all at:\n${origin}/account/programs`,
  ];
}

/** A name that somebody chose, so that it cannot pass for a line of ours. */
const oneLine = (text: string): string => text.replace(/\s+/g, " ").slice(0, 100);

function whoOf(client: Client): string {
  const network = maskedNetwork(client.peer);
  const from = network === null ? "" : `, from the network ${network}`;
  const place = client.place ? ` (${client.place})` : "";
  return `${browserName(client.userAgent)}${from}${place}`;
}
