/**
 * A person who uses all that an account has: passkeys, second steps, a trusted browser, more addresses,
 * tokens, a profile, contacts, apps; over HTTP, mail and text messages only. It hands out every personal
 * value and every credential, so that tests can look for the ones and try the others again.
 */

import { randomInt } from "node:crypto";
import { Secret } from "otpauth";
import type { Authenticator } from "../../support/authenticator.ts";
import { newMarker } from "../../support/canary.ts";
import { type Elsewhere, elsewhereVariables } from "../../support/elsewhere.ts";
import { CANARY } from "../../support/pictures.ts";
import { APP, CALLBACK, codeIn, Life } from "./life.ts";
import type { Person } from "./person.ts";
import type { World } from "./world.ts";

/**
 * What the edge needs for it: an app without a secret, accounts elsewhere, and room for many messages of
 * one machine.
 */
export const everythingVariables = (elsewhere: Elsewhere) => ({
  ...elsewhereVariables(elsewhere),
  NETWORK_LIMIT_FACTOR: "100",
  OPENID_CLIENTS: JSON.stringify([
    {
      ...{ id: APP, name: "Native", redirect_uris: [CALLBACK], device_grant: true },
      token_endpoint_auth_method: "none",
    },
  ]),
});

/** Something that lets in, or changes something, for who has it. */
export type Credential =
  | "session"
  | "trusted session"
  | "step"
  | "trust"
  | "personal token"
  | "reset link"
  | "undo link"
  | "app code"
  | "app verifier"
  | "access token"
  | "refresh token"
  | "device code";

export interface Everything {
  /** Personal values and secrets, by name: in no byte of any store, once the person is erased. */
  readonly markers: Readonly<Record<string, string>>;
  /** The same for what is no text: a passkey's identifier, the secret of an app. */
  readonly bytes: readonly Buffer[];
  /** Codes that were sent, with what each was for; several of a kind. */
  readonly codes: Readonly<Record<string, readonly string[]>>;
  readonly credentials: Readonly<Record<Credential, string>>;
  readonly key: Authenticator;
  readonly totpSecret: string;
  readonly recoveryCodes: readonly string[];
  readonly phone: string;
  /** The name of the account elsewhere that is linked. */
  readonly linked: string;
  /** The code of the text message that waits for the sign-in `step`. */
  readonly smsCode: string;
}

/** Uses everything. `friend` becomes a contact; the account elsewhere is one at `elsewhere`. */
export async function useEverything(
  world: World,
  person: Person,
  friend: Person,
  elsewhere: Elsewhere,
): Promise<Everything> {
  const life = new Life(world, person);
  const key = await life.passkey();
  const codes: Record<string, string[]> = { address: [], "sign-in": [] };
  const second = `${newMarker()}@example.test`;
  const phone = `+43660${randomInt(10_000_000, 99_999_999)}`;
  for (const address of [second, phone]) codes.address?.push(await life.address(address));
  // Two that wait, and are never typed.
  for (let at = 0; at < 2; at++)
    codes.address?.push(
      await life.askAddress(`${newMarker()}@example.test`).then(({ code }) => code),
    );
  const { addresses } = await life.json("/api/account/addresses");
  const idOf = (text: string) =>
    addresses.find((one: { address: string }) => one.address === text).id;

  const { totpSecret, recoveryCodes } = await life.totp();
  codes["sign-in"]?.push(await life.smsStep(idOf(phone), phone));
  const trusted = await life.trustBrowser(recoveryCodes[0] ?? "");
  const waiting = await life.beginSignIn();
  await life.must("/api/sign-in/second-step/sms", { body: { token: waiting.step } });
  const smsCode = codeIn(await world.mailbox.next(phone));
  codes["sign-in"]?.push(smsCode);
  const pat = newMarker();
  const token = await life.must("/api/tokens", {
    ...life.own,
    body: { name: pat, scopes: ["account:read"], days: 30 },
  });
  const profile = await life.profile();
  await life.befriend(friend);
  const given = elsewhere.given.length;
  const linked = await life.link(elsewhere);
  const waits = await life.leave(elsewhere, "sign in", linked.name);
  const ways = [...linked.held, waits.fed, await life.comeBack(waits)];
  const tokens = (await life.redeem(await life.appCode())).json;
  const { code, verifier } = await life.appCode();
  const deviceCode = await life.deviceCode();
  await life.must("/api/account/export", { ...life.own, method: "POST" });
  const primary = `/api/account/addresses/${idOf(second)}/primary`;
  await life.must(primary, { ...life.own, method: "PUT" });
  const undo = await life.mailed(person.address, "/undo");
  await life.must("/api/password/forgot", { body: { address: second } });
  const reset = await life.mailed(second, "/forgot/new");

  const credentials = {
    session: person.token,
    "trusted session": trusted.session,
    step: waiting.step,
    trust: trusted.trust,
    "personal token": token.json.token,
    "reset link": reset,
    "undo link": undo,
    "app code": code,
    "app verifier": verifier,
    "access token": tokens.access_token,
    "refresh token": tokens.refresh_token,
    "device code": deviceCode.device,
  };
  const credentialId = Buffer.from(key.credentials[0]?.id ?? []);
  const markers = {
    ...credentials,
    // The scanner looks for short texts only; the beginning of a sealed one is its own.
    ...Object.fromEntries(ways.map((way, at) => [`way elsewhere ${at}`, way.slice(0, 40)])),
    ...Object.fromEntries(
      elsewhere.given.slice(given).map((one, at) => [`their token ${at}`, one]),
    ),
    "name elsewhere": linked.name,
    "claim elsewhere": elsewhere.secretClaim,
    ...profile,
    "second address": second,
    "local part of it": second.split("@")[0] ?? "",
    phone,
    "phone's digits": phone.slice(1),
    "passkey's name": key.name,
    "passkey's id": credentialId.toString("base64url"),
    "app secret": totpSecret,
    "trusted browser's name": trusted.userAgent,
    "token's name": pat,
    "user code": deviceCode.user,
    "device's name": deviceCode.name,
    "user code's letters": deviceCode.user.replace("-", ""),
    ...Object.fromEntries(recoveryCodes.map((one, at) => [`recovery code ${at}`, one])),
    "recovery code's letters": recoveryCodes[1]?.replaceAll("-", "") ?? "",
    "photo's place": CANARY,
  };
  const bytes = [credentialId, Buffer.from(Secret.fromBase32(totpSecret).bytes)];
  const secrets = { key, totpSecret, recoveryCodes, phone, smsCode, linked: linked.name };
  return { markers, bytes, codes, credentials, ...secrets };
}
