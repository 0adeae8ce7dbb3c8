/**
 * The end of every way in: `completeSignIn()` is the only maker of sessions, so that no way can forget
 * a second step. Before it there is no session row, only a sign-in under way.
 */

import { noteActiveDay, personKey, sealedAt } from "../../db/queries/accounts.ts";
import { passkeysCount } from "../../db/queries/passkeys.ts";
import { deleteRecovery } from "../../db/queries/recoveries.ts";
import { insertSession } from "../../db/queries/sessions.ts";
import { insertSignIn, recoveryCodesLeft, secondStepsOf } from "../../db/queries/sign-ins.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken, newToken } from "../../protocol/tokens.ts";
import { note } from "../account/activity.ts";
import { notice } from "../account/notices.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { browserName, type Client, maskedNetwork } from "./client.ts";
import { noticeOfNewBrowser } from "./new-browser.ts";
import { methodsText, missingStep, type SignInMethod } from "./requirements.ts";
import { isTrusted } from "./trust.ts";

export interface NewSession {
  /** The bearer secret; shown to its owner once, stored as a hash only. */
  readonly token: string;
  readonly sessionId: string;
  readonly accountId: string;
  /** Milliseconds since the epoch, should the session not be used again. */
  readonly expiresAt: number;
}

/** A second step that an account can take now. */
export type SecondStepOffer = "totp" | "sms" | "recovery-code" | "passkey";

/** A sign-in that needs another step. */
export interface PendingSignIn {
  /** The bearer secret that goes on with it. */
  readonly token: string;
  readonly offers: readonly SecondStepOffer[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Where a sign-in stands. */
export type SignInOutcome =
  | {
      readonly kind: "signed-in";
      readonly session: NewSession;
      /** The secret of a browser that is trusted from now on. */
      readonly trustToken?: string;
    }
  | { readonly kind: "second-step"; readonly pending: PendingSignIn };

/** What was shown so far, and for which account. */
export interface Proof {
  readonly accountId: string;
  readonly methods: readonly SignInMethod[];
  /** The secret of the `__Host-trust` cookie, if the browser brings one. */
  readonly trustToken?: string | null | undefined;
}

/**
 * Makes the session if `methods` are enough for this account, else a sign-in under way.
 * @throws Problem `bad-credentials` when nothing was shown, or the account was erased meanwhile
 */
export async function completeSignIn(
  ports: Ports,
  proof: Proof,
  client: Client,
): Promise<SignInOutcome> {
  const { accountId, methods } = proof;
  const db = regionOf(accountId) === null ? null : ports.regions.db(accountId);
  if (db === null) throw new Problem("bad-credentials");
  const steps = await secondStepsOf(db, accountId);
  const twoSteps = steps.length > 0;
  let missing = missingStep(methods, { twoSteps, trusted: false });
  const spared =
    missing === "second" && (await isTrusted(ports, db, accountId, proof.trustToken ?? null));
  if (spared) missing = missingStep(methods, { twoSteps, trusted: true });
  switch (missing) {
    case "first":
      throw new Problem("bad-credentials");
    case "second": {
      const offers = await secondStepOffers(db, accountId, methods);
      return { kind: "second-step", pending: await keepPending(ports, db, proof, offers) };
    }
    case null:
      if (twoSteps && !spared) await stopWaiting(ports, db, accountId, client);
      return { kind: "signed-in", session: await makeSession(ports, db, proof, client, spared) };
  }
}

/** Who shows the second step has not lost it: whoever waits to get in without it waits no more. */
async function stopWaiting(ports: Ports, db: Db, accountId: string, client: Client): Promise<void> {
  if (!(await deleteRecovery(db, accountId, ports.clock.now()))) return;
  await note(ports, accountId, "recovery-stopped", { client });
  notice(ports, accountId, "recovery-stopped", { client, everywhere: true });
}

/** What an account can show after `methods`, the way that most people take first. */
export async function secondStepOffers(
  db: Db,
  accountId: string,
  methods: readonly SignInMethod[],
): Promise<SecondStepOffer[]> {
  const [steps, codes, passkeys] = await Promise.all([
    secondStepsOf(db, accountId),
    recoveryCodesLeft(db, accountId),
    passkeysCount(db, accountId),
  ]);
  const kinds = new Set<SecondStepOffer>(steps.map(({ kind }) => kind));
  if (codes > 0) kinds.add("recovery-code");
  // A touched passkey is no second step beside itself.
  const alone = methods.length > 0 && methods.every((method) => method === "passkey");
  if (passkeys > 0 && !alone) kinds.add("passkey");
  return (["totp", "passkey", "sms", "recovery-code"] as const).filter((kind) => kinds.has(kind));
}

async function keepPending(
  ports: Ports,
  db: Db,
  { accountId, methods }: Proof,
  offers: readonly SecondStepOffer[],
): Promise<PendingSignIn> {
  const region = regionOf(accountId) as string;
  const token = newToken("stp", region, ports.random.bytes);
  const expiresAt = ports.clock.now() + limits.signInStepMs;
  const row = {
    tokenHash: await hashToken(token),
    accountId,
    methods: methodsText(methods),
    expiresAt,
  };
  if (!(await insertSignIn(db, row))) throw new Problem("bad-credentials");
  return { token, offers, expiresAt };
}

async function makeSession(
  ports: Ports,
  db: Db,
  { accountId, methods }: Proof,
  client: Client,
  /** True when a trusted browser was spared the second step. */
  spared: boolean,
): Promise<NewSession> {
  const now = ports.clock.now();
  const region = regionOf(accountId) as string;
  const sessionId = newId("ses", region, ports.random.bytes);
  const token = newToken("ses", region, ports.random.bytes);
  const kept = { client: browserName(client.userAgent), network: maskedNetwork(client.peer) };
  const clientSealed = await ports.sealer.seal(
    personKey(accountId),
    sealedAt.client(sessionId),
    JSON.stringify(kept),
  );
  const expiresAt = now + limits.sessionIdleMs;
  const tokenHash = await hashToken(token);
  const row = {
    tokenHash,
    id: sessionId,
    accountId,
    clientSealed,
    methods: methodsText(methods),
    expiresAt,
  };
  if (!(await insertSession(db, row, now))) throw new Problem("bad-credentials");
  await noteActiveDay(db, accountId, now);
  const about = spared ? `${methodsText(methods)} trusted-browser` : methodsText(methods);
  const noted = await note(ports, accountId, "signed-in", { client, about });
  ports.background(noticeOfNewBrowser(ports, db, { accountId, sessionId, noted }, client));
  return { token, sessionId, accountId, expiresAt };
}
