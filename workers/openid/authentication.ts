/** How a person showed who they are, in words that apps understand. Pure. */

import { missingStep, type SignInMethod } from "../sign-in/requirements.ts";
import { authenticationContexts } from "./metadata.ts";

/** RFC 8176 names; a way that has none there is left out. */
const names: Readonly<Record<SignInMethod, readonly string[]>> = {
  password: ["pwd"],
  passkey: ["pop"],
  "passkey-verified": ["pop", "user"],
  linked: [],
  mail: [],
  phone: ["sms"],
  totp: ["otp"],
  sms: ["sms"],
  "recovery-code": ["otp"],
};

const inTwoSteps = (methods: readonly SignInMethod[]): boolean =>
  missingStep(methods, { twoSteps: true, trusted: false }) === null;

/** `amr` (OpenID Connect Core §2). */
export function amrOf(methods: readonly SignInMethod[]): string[] {
  const all = methods.flatMap((method) => names[method]);
  return [...new Set(inTwoSteps(methods) ? [...all, "mfa"] : all)];
}

/** `acr`: whether one step was shown, or two. */
export function acrOf(methods: readonly SignInMethod[]): string {
  return inTwoSteps(methods) ? authenticationContexts.two : authenticationContexts.one;
}
