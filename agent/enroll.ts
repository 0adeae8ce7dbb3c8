/**
 * Enrolment on the device's side (RFC 8628): show a code, wait until the owner approved it, keep what
 * the cloud answers. The device never takes its owner's password.
 */

import {
  type EnrolmentDone,
  type EnrolmentError,
  type EnrolmentStart,
  keyFingerprint,
} from "../protocol/agent.ts";
import { signAssertion } from "../protocol/assertion.ts";
import { limits } from "../protocol/limits.ts";
import { hashToken } from "../protocol/tokens.ts";
import { type AgentClock, systemClock } from "./clock.ts";
import { cloudOrigin, post, problemOf, Unreachable } from "./cloud.ts";
import { AgentFailure } from "./failure.ts";
import { type EnrolledDevice, Home, type Identity } from "./home.ts";

export interface EnrollOptions {
  /** The cloud's address, e.g. `https://latchkey.example`. */
  readonly cloud: string;
  /** The agent's folder. */
  readonly home: string;
  /** Shows the code; polling begins when it has returned. */
  onCode(code: EnrolmentStart & { readonly fingerprint: string }): void | Promise<void>;
  readonly clock?: AgentClock;
  readonly signal?: AbortSignal;
}

/**
 * Enrolls this box. @returns what the cloud knows it as from now on
 * @throws AgentFailure when it is enrolled already, the code was not approved, or the cloud is away
 */
export async function enroll(options: EnrollOptions): Promise<EnrolledDevice> {
  const home = new Home(options.home);
  const before = await home.device();
  if (before !== null) {
    throw new AgentFailure(
      `This box is enrolled already, as "${before.label}". Unregister it in the console first, or ` +
        "choose another folder with --home.",
    );
  }
  const cloud = cloudOrigin(options.cloud);
  const identity = await home.identityOrNew();
  const start = await startAt(cloud, identity.publicKey);
  await options.onCode({ ...start, fingerprint: await keyFingerprint(identity.publicKey) });
  const done = await untilApproved(cloud, identity, start, options);
  const device = { ...done, cloud };
  await home.saveDevice(device);
  return device;
}

async function startAt(cloud: string, publicKey: string): Promise<EnrolmentStart> {
  const answer = await post(cloud, "/api/enrolments", { public_key: publicKey });
  if (answer.status !== 200 || answer.body === null) {
    throw new AgentFailure(`${cloud} gives no code: ${problemOf(answer)}`);
  }
  const start = answer.body as EnrolmentStart;
  const page = URL.parse(start.verification_uri);
  // Assertions name the cloud they are for: it must be the one that was typed.
  if (page?.origin !== cloud) {
    throw new AgentFailure(`${cloud} calls itself ${page?.origin}; enroll with that address.`);
  }
  return start;
}

async function untilApproved(
  cloud: string,
  identity: Identity,
  start: EnrolmentStart,
  options: EnrollOptions,
): Promise<EnrolmentDone> {
  const clock = options.clock ?? systemClock;
  const subject = await hashToken(start.device_code);
  const until = clock.now() + start.expires_in * 1000;
  let intervalMs = start.interval * 1000;
  while (clock.now() < until) {
    const step = await poll(cloud, identity, start.device_code, subject, clock.now());
    if (step.kind === "done") return step.done;
    if (step.kind === "slower") intervalMs += limits.enrolmentSlowDownMs;
    await clock.sleep(intervalMs, options.signal);
    if (options.signal?.aborted) throw new AgentFailure("Stopped before the code was approved.");
  }
  throw expired();
}

type Step = { kind: "done"; done: EnrolmentDone } | { kind: "wait" } | { kind: "slower" };

const expired = () =>
  new AgentFailure("The code was not approved in time. Enroll again for a new one.");

async function poll(
  cloud: string,
  identity: Identity,
  deviceCode: string,
  subject: string,
  now: number,
): Promise<Step> {
  const assertion = await signAssertion(identity.privateKey, subject, cloud, now);
  const answer = await post(cloud, "/api/enrolments/token", {
    device_code: deviceCode,
    client_assertion: assertion,
  }).catch((error: unknown) => {
    // RFC 8628 §3.5: a device that got no answer asks less often.
    if (error instanceof Unreachable) return null;
    throw error;
  });
  if (answer === null || answer.status >= 500) return { kind: "slower" };
  if (answer.status === 200) return { kind: "done", done: answer.body as EnrolmentDone };
  switch ((answer.body as { error?: EnrolmentError } | null)?.error) {
    case "authorization_pending":
      return { kind: "wait" };
    case "slow_down":
      return { kind: "slower" };
    case "access_denied":
      throw new AgentFailure(
        "The cloud did not accept this box's key. Check that its clock is right, then enroll again.",
      );
    case "expired_token":
      throw expired();
    default:
      throw new AgentFailure(`The cloud refused: ${problemOf(answer)}`);
  }
}
