/** One line for each part of the account center: how it stands, and whether that needs a look. Pure. */

import type { Overview } from "../workers/account/overview.ts";
import type { AccountPart } from "./account-nav.tsx";
import { sayEvent } from "./activity-words.ts";
import { count, sayDay } from "./words.ts";

export interface PartState {
  readonly text: string;
  /** True where waiting could lock its owner out. */
  readonly warns?: boolean;
  /** A moment that the line ends with. */
  readonly at?: number;
}

/** So few recovery codes are worth a word. */
const FEW_CODES = 2;

const states: Readonly<Record<AccountPart, (of: Overview) => PartState>> = {
  profile: ({ name, photo }) => {
    if (name > 0) return { text: photo > 0 ? "Name and photo" : "Name · no photo" };
    return { text: photo > 0 ? "Photo · no name" : "No name, no photo" };
  },
  addresses: ({ emails, phones }) => ({
    text: [
      ...(emails > 0 ? [count(emails, "e-mail")] : []),
      ...(phones > 0 ? [count(phones, "phone")] : []),
      ...(emails + phones === 1 ? ["a second would be safer"] : []),
    ].join(" · "),
  }),
  password: ({ passwordChangedAt: at }) => ({
    text: at === null ? "None" : `Last changed ${sayDay(at)}`,
  }),
  passkeys: ({ passkeys }) => ({ text: some(passkeys, "passkey") }),
  "second-step": secondStep,
  linked: ({ linked }) => ({ text: linked === 0 ? "None" : `${linked} linked` }),
  sessions: ({ sessions }) => ({
    text: sessions <= 1 ? "Only this one" : `${sessions} sessions, with this one`,
  }),
  apps: ({ apps }) => ({ text: some(apps, "app") }),
  tokens: ({ tokens }) => ({ text: some(tokens, "token") }),
  activity: ({ lastEvent, lastAt }) =>
    lastEvent === null || lastAt === null
      ? { text: "Nothing on record" }
      : { text: sayEvent(lastEvent).replace(/\.$/, ""), at: lastAt },
  data: ({ createdAt }) => ({ text: `Held since ${sayDay(createdAt)}` }),
};

/** How a part stands. */
export function partState(part: AccountPart, overview: Overview): PartState {
  return states[part](overview);
}

function secondStep({ totp, sms, passkeys, recoveryCodes, trusted }: Overview): PartState {
  if (totp + sms === 0) return { text: "Off" };
  if (recoveryCodes === 0) return { text: "On, but no recovery codes are left", warns: true };
  if (recoveryCodes <= FEW_CODES) {
    return { text: `On, but only ${count(recoveryCodes, "recovery code")} left`, warns: true };
  }
  const kinds = [
    ...(totp > 0 ? ["code app"] : []),
    ...(sms > 0 ? ["text message"] : []),
    ...(passkeys > 0 ? [count(passkeys, "passkey")] : []),
  ];
  const browsers = trusted === 0 ? "" : ` · ${count(trusted, "trusted browser")}`;
  return { text: `On: ${listed(kinds)}${browsers}` };
}

const some = (amount: number, one: string): string => (amount === 0 ? "None" : count(amount, one));

/** `a`, `a and b`, `a, b and c`. */
const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
