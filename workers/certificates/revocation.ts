/**
 * Revocation (RFC 8555 §7.6): by the owner's word, and when a device gives a name away. A certificate counts
 * until its end, whatever came after it, so those before the last one are kept as long as they count.
 */

import type {
  Certificate,
  CertificateState,
  EarlierCertificate,
} from "../../durable-objects/device/certificate-rpc.ts";
import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import { pemCertificates } from "../../protocol/certificates.ts";
import { limits } from "../../protocol/limits.ts";
import { labelUnder } from "../../protocol/names.ts";
import { base64url } from "../../protocol/tokens.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { authorityHere, authorityOf } from "./account.ts";
import { AcmeRefusal } from "./acme.ts";

/** RFC 5280 §5.3.1, those that an authority takes from an owner. */
export const revocationReasons = {
  unspecified: 0,
  "key-compromise": 1,
  superseded: 4,
  cessation: 5,
} as const;
export type RevocationReason = keyof typeof revocationReasons;

/**
 * Revokes the certificate of a device, and those before it that count: whoever has a key may have an earlier
 * one. Its box comes with a new key when it asks next. Idempotent. An earlier one that the authority refuses
 * to revoke for good is kept, and holds up no other.
 * @throws Problem `not-found` without a certificate, `unavailable`, `no-authority`
 */
export async function revokeCertificate(
  ports: Ports,
  device: DeviceStub,
  reason: RevocationReason,
): Promise<void> {
  authorityHere(ports);
  const state = await device.certificate();
  const current = state?.current ?? null;
  const leaf = current === null ? null : leafOf(current);
  if (state === null || current === null || leaf === null) throw new Problem("not-found");
  const isDone = current.revokedAt !== null;
  if (isDone && state.earlier.length === 0) return;
  if (!isDone && !(await isRevoked(ports, leaf, reason))) throw new Problem("unavailable");
  const earlier: EarlierCertificate[] = [];
  for (const one of state.earlier) {
    if (!(await isRevoked(ports, one.leaf, reason))) earlier.push(one);
  }
  const after = isDone ? current : revokedAt(current, ports.clock.now());
  if (!(await device.setCertificate({ ...state, current: after, earlier }))) {
    throw new Problem("unavailable"); // asked again, it is found revoked
  }
}

/** What counts still once another certificate takes the place of the last one. */
export function earlierOf(
  { current, earlier }: CertificateState,
  now: number,
): readonly EarlierCertificate[] {
  const leaf = current === null ? null : leafOf(current);
  if (current === null || leaf === null || !counts(current, now)) return earlier;
  const { names, notAfter } = current;
  return [...earlier, { leaf, names, notAfter }];
}

/**
 * Revokes the oldest of too many that count, so that one more can be kept.
 * @throws Problem `unavailable`
 */
export async function makeRoom(ports: Ports, state: CertificateState): Promise<CertificateState> {
  const [oldest, ...rest] = state.earlier;
  if (oldest === undefined || rest.length + 1 < limits.certificatesKept) return state;
  if (!(await isRevoked(ports, oldest.leaf, "superseded"))) throw new Problem("unavailable");
  return { ...state, earlier: rest };
}

/**
 * Revokes all that counts and has a name which `isGone`. Idempotent.
 * @param sure whether all must be; else what the authority refuses for good counts as done
 * @throws Problem `unavailable`, `no-authority`
 */
export async function revokeAll(
  ports: Ports,
  device: DeviceStub,
  isGone: (name: string) => boolean,
  sure: boolean,
): Promise<void> {
  const state = await device.certificate();
  const [last, earlier] = countingFor(state, isGone, ports.clock.now());
  if (state === null || (last === null && earlier.length === 0)) return;
  authorityHere(ports);
  const leaves = earlier.map(({ leaf }) => leaf).concat((last && leafOf(last)) ?? []);
  for (const leaf of leaves) {
    const isDone = await isRevoked(ports, leaf, "cessation");
    if (!isDone && sure) throw new Problem("unavailable");
  }
  const after = {
    ...state,
    ...(last !== null && { current: revokedAt(last, ports.clock.now()) }),
    earlier: state.earlier.filter((one) => !earlier.includes(one)),
  };
  if (!(await device.setCertificate(after))) throw new Problem("unavailable");
}

/** Whether a certificate of the device's counts for a name of the zone that is none of `labels`. */
export async function hasLost(
  ports: Ports,
  device: DeviceStub,
  labels: readonly string[],
): Promise<boolean> {
  if (ports.config.authority === null) return false;
  const isGone = goneFrom(ports, labels);
  const [last, earlier] = countingFor(await device.certificate(), isGone, ports.clock.now());
  return last !== null || earlier.length > 0;
}

/**
 * Revokes what counts for names of the zone that the device has no more.
 * @returns false when that is to be tried again
 */
export async function revokeLost(
  ports: Ports,
  device: DeviceStub,
  labels: readonly string[],
): Promise<boolean> {
  if (ports.config.authority === null) return true;
  return await revokeAll(ports, device, goneFrom(ports, labels), false).then(
    () => true,
    () => false,
  );
}

/**
 * Revokes what counts of a device that ends, or whose name is switched off: once, for nothing is kept to try
 * it again, and an end waits for nobody. Never rejects.
 * @param state what was kept of it
 */
export async function revokeAtEnd(ports: Ports, state: CertificateState | null): Promise<void> {
  if (ports.config.authority === null) return;
  const [last, earlier] = countingFor(state, () => true, ports.clock.now());
  const leaves = earlier.map(({ leaf }) => leaf).concat((last && leafOf(last)) ?? []);
  try {
    for (const leaf of leaves) await isRevoked(ports, leaf, "cessation");
  } catch (error) {
    ports.log({ event: "authority-away", code: error instanceof Error ? error.name : "unknown" });
  }
}

/** What counts and has a name which `isGone`: the last certificate, and those before it. */
function countingFor(
  state: CertificateState | null,
  isGone: (name: string) => boolean,
  now: number,
): readonly [Certificate | null, readonly EarlierCertificate[]] {
  const current = state?.current ?? null;
  const isLast = current !== null && counts(current, now) && current.names.some(isGone);
  const old = state?.earlier.filter(({ notAfter }) => notAfter > now) ?? [];
  const earlier = old.filter(({ names }) => names.some(isGone));
  return [isLast ? current : null, earlier];
}

const goneFrom = ({ config }: Ports, labels: readonly string[]) => {
  return (name: string) => {
    const label = labelUnder(name.replace(/^\*\./, ""), config.ddnsZone);
    return label !== null && !labels.includes(label);
  };
};

const counts = (one: Certificate, now: number) => one.revokedAt === null && one.notAfter > now;

const revokedAt = (current: Certificate, now: number): Certificate => ({
  ...{ ...current, revokedAt: now, renewAt: now, renewalId: null },
});

function leafOf({ chain }: Certificate): string | null {
  const leaf = pemCertificates(chain)?.[0];
  return leaf === undefined ? null : base64url(leaf);
}

/** False where the authority refuses for good. @throws Problem `unavailable`, `no-authority` */
async function isRevoked(ports: Ports, leaf: string, reason: RevocationReason): Promise<boolean> {
  const authority = authorityHere(ports);
  try {
    const { acme } = await authorityOf(ports, authority);
    const body = { certificate: leaf, reason: revocationReasons[reason] };
    await acme.post(acme.directory.revokeCert, body);
    return true;
  } catch (error) {
    const { kind, status } = error instanceof AcmeRefusal ? error : { kind: "", status: 503 };
    if (kind === "alreadyRevoked") return true;
    if (kind === "rateLimited" || status === 429 || status >= 500) throw new Problem("unavailable");
    return false;
  }
}
