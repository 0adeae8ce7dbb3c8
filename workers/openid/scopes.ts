/** What an app may ask for. Pure. */

export const scopes = ["openid", "profile", "email", "phone", "offline_access"] as const;
export type Scope = (typeof scopes)[number];

/** The scopes of a text that we know, each once, in our order; others are ignored (OIDC Core §3.1.2.1). */
export function scopesOf(text: string): Scope[] {
  const asked = text.split(" ");
  return scopes.filter((scope) => asked.includes(scope));
}

export const scopeText = (list: readonly Scope[]): string => list.join(" ");

/** True when `granted` allows all of `asked`. */
export function covers(granted: readonly Scope[], asked: readonly Scope[]): boolean {
  return asked.every((scope) => granted.includes(scope));
}

/** Claims of OpenID Connect Core §5.1 that we make, by scope. */
export const claimsOfScope: Readonly<Record<Scope, readonly string[]>> = {
  openid: ["sub"],
  profile: ["name", "locale", "zoneinfo"],
  email: ["email", "email_verified"],
  phone: ["phone_number", "phone_number_verified"],
  offline_access: [],
};
