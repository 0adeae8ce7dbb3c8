/**
 * The device grant (RFC 8628): a program without a browser shows a code, a person types it where they
 * are signed in and answers, the program asks until it hears. A device never takes a password. Until
 * somebody answers, nothing names a person; from then on it is a code like any other (codes.ts).
 */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import { codeOf, insertCode } from "../../db/queries/openid-codes.ts";
import {
  type DeviceCodeRow,
  denyDeviceCode,
  deviceCodeByUserCode,
  deviceCodeOf,
  insertDeviceCode,
  noteDevicePoll,
  takeDeviceCode,
} from "../../db/queries/openid-device.ts";
import { sessionProof } from "../../db/queries/sessions.ts";
import { randomBase62 } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken, newToken, parseToken } from "../../protocol/tokens.ts";
import { regionDb } from "../devices/ending.ts";
import { countedCode } from "../devices/enrolments.ts";
import { formatUserCode, judgePoll, newUserCode } from "../devices/rules.ts";
import type { Ctx, Signed } from "../http.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { type Client as Browser, limitedNetwork } from "../sign-in/client.ts";
import { answer, type Form, OAuthError, readOAuthForm } from "./answers.ts";
import { authenticateClient } from "./client-auth.ts";
import { type Client, clientOf } from "./clients.ts";
import { type CodeRequest, spendCode } from "./codes.ts";
import { allow } from "./grants.ts";
import { type Scope, scopesOf, scopeText } from "./scopes.ts";
import type { TokenAnswer } from "./tokens.ts";

export const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

/** The region that holds requests nobody answered yet: they belong to no one. */
const waitingRoom = (ports: Ports): Db => regionDb(ports, ports.regions.default);

/** RFC 8628 §3.2 */
export interface DeviceStart {
  readonly device_code: string;
  readonly user_code: string;
  readonly verification_uri: string;
  readonly verification_uri_complete: string;
  readonly expires_in: number;
  readonly interval: number;
}

/**
 * RFC 8628 §3.1: a program asks.
 * @throws OAuthError `unauthorized_client`, `invalid_scope`; Problem `too-many-tries` for a flood
 */
export async function startDeviceGrant(
  ports: Ports,
  client: Client,
  form: Form,
): Promise<DeviceStart> {
  if (!client.deviceGrant) {
    throw new OAuthError("unauthorized_client", "this client may not use the device grant");
  }
  const asked = scopesOf(form.get("scope") ?? "openid");
  const scope = asked.filter((one) => client.scopes.includes(one));
  if (!scope.includes("openid")) throw new OAuthError("invalid_scope", "scope must contain openid");
  const { deviceCodesPerNetwork: most, deviceCodeMs, enrolmentIntervalMs } = limits;
  if (!(await ports.limits.take("device-code", limitedNetwork(ports.peer), most, deviceCodeMs))) {
    throw new Problem("too-many-tries");
  }
  const bytes = (count: number) => ports.random.bytes(count);
  const deviceCode = newToken("odc", ports.regions.default, bytes);
  const userCode = newUserCode(bytes);
  await insertDeviceCode(waitingRoom(ports), {
    codeHash: await hashToken(deviceCode),
    userCodeHash: await ports.names.hash("user-code", userCode),
    clientId: client.id,
    scope: scopeText(scope),
    polledAt: 0,
    intervalMs: enrolmentIntervalMs,
    expiresAt: ports.clock.now() + deviceCodeMs,
  });
  const page = `${ports.config.origin}/device`;
  return {
    device_code: deviceCode,
    user_code: formatUserCode(userCode),
    verification_uri: page,
    verification_uri_complete: `${page}?user_code=${formatUserCode(userCode)}`,
    expires_in: deviceCodeMs / 1000,
    interval: enrolmentIntervalMs / 1000,
  };
}

/** `POST /oauth/device` */
export async function deviceEndpoint(c: Ctx): Promise<Response> {
  return await answer(c, async () => {
    const form = await readOAuthForm(c);
    const client = await authenticateClient(c, form);
    return c.json(await startDeviceGrant(c.env, client, form));
  });
}

/** What waits behind a code that a person typed. */
export interface DeviceRequest {
  readonly client: Client;
  readonly scope: readonly Scope[];
  readonly expiresAt: number;
}

/**
 * What `accountId` would answer; null when nothing waits behind the code. Tries are counted per
 * account, so codes cannot be searched for. @throws Problem `too-many-tries`
 */
export async function findDeviceRequest(
  ports: Ports,
  accountId: string,
  typed: string,
): Promise<DeviceRequest | null> {
  const code = await countedCode(ports, accountId, typed);
  if (code === null) return null;
  const hash = await ports.names.hash("user-code", code);
  const row = await deviceCodeByUserCode(waitingRoom(ports), hash, ports.clock.now());
  return row === null ? null : await requestOf(ports, row);
}

async function requestOf(ports: Ports, row: DeviceCodeRow): Promise<DeviceRequest | null> {
  const client = await clientOf(ports, row.clientId);
  if (client === null || !client.deviceGrant) return null;
  return { client, scope: scopesOf(row.scope), expiresAt: row.expiresAt };
}

/** A person's answer. */
export interface DeviceAnswer {
  readonly userCode: string;
  readonly allow: boolean;
  /** What its owner calls the device, to know it by in the list of apps. */
  readonly name: string;
}

/**
 * Answers for the person of `session`; of two who answer at once one is heard.
 * @throws Problem `code-expired` when nothing waits (any more), `not-signed-in`, `too-many-tries`
 */
export async function answerDeviceRequest(
  ports: Ports,
  session: Signed,
  said: DeviceAnswer,
  browser: Browser,
): Promise<void> {
  if (said.name.length > limits.grantNameLength) throw new Problem("bad-request", "name");
  const code = await countedCode(ports, session.accountId, said.userCode);
  if (code === null) throw new Problem("code-expired", "user_code");
  const hash = await ports.names.hash("user-code", code);
  const now = ports.clock.now();
  const waiting = waitingRoom(ports);
  if (!said.allow) {
    const tombstone = randomBase62(43, (count) => ports.random.bytes(count));
    if (await denyDeviceCode(waiting, hash, tombstone, now)) return;
    throw new Problem("code-expired", "user_code");
  }
  const row = await takeDeviceCode(waiting, hash, now);
  if (row === null) throw new Problem("code-expired", "user_code");
  try {
    await allowDevice(ports, session, row, said.name, browser);
  } catch (error) {
    await insertDeviceCode(waiting, row);
    throw error;
  }
}

async function allowDevice(
  ports: Ports,
  { accountId, sessionId }: Signed,
  row: DeviceCodeRow,
  name: string,
  browser: Browser,
): Promise<void> {
  const db = regionDb(ports, accountId);
  const proof = await sessionProof(db, accountId, sessionId, ports.clock.now());
  if (proof === null) throw new Problem("not-signed-in");
  const request = await requestOf(ports, row);
  if (request === null) throw new Problem("code-expired", "user_code");
  const { client, scope } = request;
  const on = name.trim() === "" ? "A device" : name.trim();
  // A grant of its own: ending one device ends no other of the same app.
  const allowing = { accountId, client, scope, on, slot: row.codeHash };
  const grantId = await allow(ports, allowing, browser);
  const kept: CodeRequest = {
    redirectUri: "",
    scope: row.scope,
    methods: proof.methods,
    authAt: proof.confirmedAt,
  };
  const at = sealedAt.code(row.codeHash);
  const requestSealed = await ports.sealer.seal(personKey(accountId), at, JSON.stringify(kept));
  const { codeHash, expiresAt } = row;
  if (!(await insertCode(db, { codeHash, grantId, requestSealed, expiresAt }))) {
    throw new Problem("not-signed-in");
  }
}

/**
 * The grant type of RFC 8628 §3.4: the program asks whether somebody answered. A yes is told once: a
 * program that lost the answer asks its owner again.
 * @throws OAuthError of §3.5
 */
export async function redeemDeviceCode(
  ports: Ports,
  client: Client,
  form: Form,
): Promise<TokenAnswer> {
  const deviceCode = form.get("device_code");
  if (deviceCode === undefined) throw new OAuthError("invalid_request", "device_code is missing");
  if (parseToken("odc", deviceCode) === null) throw notKnown();
  const codeHash = await hashToken(deviceCode);
  const now = ports.clock.now();
  const waiting = await deviceCodeOf(waitingRoom(ports), codeHash, now);
  if (waiting !== null) {
    if (waiting.clientId !== client.id) throw notKnown();
    if (waiting.deniedAt !== null) throw new OAuthError("access_denied", "somebody said no");
    const verdict = judgePoll(waiting, now);
    await noteDevicePoll(waitingRoom(ports), codeHash, now, verdict.intervalMs);
    throw new OAuthError(verdict.error, "nobody answered yet");
  }
  for (const region of ports.regions.ids) {
    const db = regionDb(ports, region);
    const found = await codeOf(db, codeHash, now);
    if (found === null) continue;
    if (found.clientId !== client.id || found.chain !== null) throw notKnown();
    const tokens = await spendCode(ports, db, client, { codeHash, found });
    if (tokens === null) throw notKnown();
    return tokens;
  }
  throw new OAuthError("expired_token", "nobody answered in time");
}

const notKnown = () =>
  new OAuthError("invalid_grant", "the device code is not known, used, or another client's");
