/** What an account asks for before it lets anybody in. Pure: nothing here reads or stores anything. */

/**
 * How a person has shown who they are.
 * - `password`, `linked` (an account elsewhere), `mail`, `phone` (a link or code sent there): one step
 * - `passkey`: a passkey that only saw a touch: one step
 * - `passkey-verified`: a passkey that checked its user (PIN, finger, face): both steps (WebAuthn §6.2.3)
 * - `totp`, `sms`, `recovery-code`: a second step, never a first
 */
export const signInMethods = [
  "password",
  "passkey",
  "passkey-verified",
  "linked",
  "mail",
  "phone",
  "totp",
  "sms",
  "recovery-code",
] as const;
export type SignInMethod = (typeof signInMethods)[number];

const SECOND: ReadonlySet<SignInMethod> = new Set(["totp", "sms", "recovery-code"]);

/** What an account has switched on, and what the browser brings. */
export interface Requirements {
  /** True when the account has a second step switched on. */
  readonly twoSteps: boolean;
  /** True when the account trusts this browser. */
  readonly trusted: boolean;
}

/** What is missing before a session may be made; null: nothing. */
export function missingStep(
  methods: readonly SignInMethod[],
  { twoSteps, trusted }: Requirements,
): "first" | "second" | null {
  const firsts = methods.filter((method) => !SECOND.has(method));
  if (firsts.length === 0) return "first";
  if (!twoSteps || trusted || methods.includes("passkey-verified")) return null;
  const second = methods.some((method) => SECOND.has(method));
  // A touched passkey is something one has: a second step beside something else, not beside itself.
  const touched = firsts.includes("passkey") && firsts.some((method) => method !== "passkey");
  return second || touched ? null : "second";
}

/** The methods in the form they are stored in, and back. */
export const methodsText = (methods: readonly SignInMethod[]): string =>
  [...new Set(methods)].join(" ");

export const methodsOf = (text: string): SignInMethod[] =>
  signInMethods.filter((method) => text.split(" ").includes(method));
