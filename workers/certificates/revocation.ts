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
 * one. Its box comes with a new key when it asks next, also where the authority refuses. Idempotent. An
 * earlier one that the authority refuses to revoke is kept, and holds up no other.
 * @throws Problem `not-found` without a certificate, `unavailable`, `no-authority`, `revocation-refused` for
 *   the last one
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
  const verdict = isDone ? "revoked" : await askToRevoke(ports, leaf, reason);
  const earlier = await left(ports, state.earlier, reason);
  const after = isDone ? current : judged(current, verdict, ports.clock.now());
  if (!(await device.setCertificate({ ...state, current: after, earlier }))) {
    throw new Problem("unavailable"); // asked again, it is found revoked
  }
  if (verdict === "refused") throw new Problem("revocation-refused");
}

/** What counts still once another certificate takes the place of the last one. */
export function earlierOf(
  { current, earlier }: CertificateState,
  now: number,
): readonly EarlierCertificate[] {
  const leaf = current === null ? null : leafOf(current);
  if (current === null || leaf === null || !counts(current, now)) return earlier;
  const { names, notAfter, refusedAt } = current;
  return [...earlier, { leaf, names, notAfter, ...(refusedAt !== undefined && { refusedAt }) }];
}

/**
 * Revokes the oldest of too many that count, so that one more can be kept; what the authority refuses to
 * revoke makes way last.
 * @throws Problem `unavailable`
 */
export async function makeRoom(ports: Ports, state: CertificateState): Promise<CertificateState> {
  let earlier = state.earlier;
  if (earlier.length < limits.certificatesKept) return state;
  for (const one of earlier.filter(isAsked)) {
    const after = await left(ports, [one], "superseded");
    earlier = earlier.flatMap((other) => (other === one ? after : other));
    if (after.length === 0) return { ...state, earlier };
  }
  return { ...state, earlier: earlier.slice(1) };
}

/**
 * Revokes all that counts and has a name which `isGone`. Idempotent. What the authority refuses is noted as
 * such, and asked for no more.
 * @throws Problem `unavailable`, `no-authority`
 */
export async function revokeAll(
  ports: Ports,
  device: DeviceStub,
  isGone: (name: string) => boolean,
): Promise<void> {
  const state = await device.certificate();
  const [last, earlier] = countingFor(state, isGone, ports.clock.now());
  if (state === null || (last === null && earlier.length === 0)) return;
  authorityHere(ports);
  const after = await left(ports, earlier, "cessation");
  const leaf = last && leafOf(last);
  const verdict = leaf === null ? "revoked" : await askToRevoke(ports, leaf, "cessation");
  const changed = {
    ...state,
    ...(last !== null && { current: judged(last, verdict, ports.clock.now()) }),
    earlier: state.earlier.flatMap((one) =>
      earlier.includes(one) ? after.filter(({ leaf }) => leaf === one.leaf) : one,
    ),
  };
  if (!(await device.setCertificate(changed))) throw new Problem("unavailable");
}

/** Until when what the authority refused to revoke counts for a name which `isGone`; null: there is none. */
export async function refusedUntil(
  ports: Ports,
  device: DeviceStub,
  isGone: (name: string) => boolean,
): Promise<number | null> {
  const state = await device.certificate();
  const times = (state === null ? [] : refusedOf(state, ports.clock.now()))
    .filter(({ names }) => names.some(isGone))
    .map(({ notAfter }) => notAfter);
  return times.length === 0 ? null : Math.max(...times);
}

/** What the authority refused to revoke and counts still, the oldest first. */
export function refusedOf(
  { current, earlier }: Pick<CertificateState, "current" | "earlier">,
  now: number,
): readonly Pick<Certificate, "names" | "notAfter">[] {
  const last = current !== null && counts(current, now) ? [current] : [];
  const old = earlier.filter(({ notAfter }) => notAfter > now);
  return [...old, ...last].filter((one) => !isAsked(one));
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
  return await revokeAll(ports, device, goneFrom(ports, labels)).then(
    () => true,
    () => false,
  );
}

/** All that counts and was not refused, base64url of DER, and when the last of them is over. */
export function leavesOf(
  state: CertificateState | null,
  now: number,
): readonly [leaves: readonly string[], until: number] {
  const [last, earlier] = countingFor(state, () => true, now);
  const leaves = earlier.map(({ leaf }) => leaf).concat((last && leafOf(last)) ?? []);
  return [
    leaves,
    Math.max(...[...earlier, ...(last === null ? [] : [last])].map((one) => one.notAfter)),
  ];
}

/** What counts, was not refused and has a name which `isGone`: the last certificate, and those before it. */
function countingFor(
  state: CertificateState | null,
  isGone: (name: string) => boolean,
  now: number,
): readonly [Certificate | null, readonly EarlierCertificate[]] {
  const current = state?.current ?? null;
  const isLast =
    current !== null && counts(current, now) && isAsked(current) && current.names.some(isGone);
  const old = state?.earlier.filter((one) => one.notAfter > now && isAsked(one)) ?? [];
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

/** False once the authority refused for good to revoke it. */
const isAsked = ({ refusedAt }: Pick<Certificate, "refusedAt">) => refusedAt === undefined;

type Verdict = "revoked" | "refused";

/** Either way its box is to come with a new key. */
const judged = (current: Certificate, verdict: Verdict, now: number): Certificate => ({
  ...{ ...current, renewAt: now, renewalId: null },
  ...(verdict === "revoked" ? { revokedAt: now } : { refusedAt: now }),
});

/** Has earlier ones revoked. @returns those that the authority refuses to. @throws Problem `unavailable` */
async function left(
  ports: Ports,
  earlier: readonly EarlierCertificate[],
  reason: RevocationReason,
): Promise<readonly EarlierCertificate[]> {
  const refused: EarlierCertificate[] = [];
  for (const one of earlier) {
    if ((await askToRevoke(ports, one.leaf, reason)) === "revoked") continue;
    refused.push({ ...one, refusedAt: one.refusedAt ?? ports.clock.now() });
  }
  return refused;
}

function leafOf({ chain }: Certificate): string | null {
  const leaf = pemCertificates(chain)?.[0];
  return leaf === undefined ? null : base64url(leaf);
}

/** What an authority says of the certificate itself (RFC 8555 §7.6, §6.7): asked again, it says the same. */
const final: ReadonlySet<string> = new Set(["unauthorized", "malformed", "badRevocationReason"]);

/**
 * @returns `refused` where the authority does for good. Whatever else is no "yes" may be its being away, an
 *   answer of something before it, or about our account
 * @throws Problem `unavailable`, `no-authority`
 */
export async function askToRevoke(
  ports: Ports,
  leaf: string,
  reason: RevocationReason,
): Promise<Verdict> {
  const { acme } = await authorityOf(ports, authorityHere(ports)).catch((error: unknown) => {
    throw error instanceof Problem ? error : new Problem("unavailable");
  });
  const post = (body: object) =>
    acme.post(acme.directory.revokeCert, { certificate: leaf, ...body });
  try {
    await post({ reason: revocationReasons[reason] }).catch(async (error: unknown) => {
      // An authority may take few reasons; none it takes always.
      if (kindOf(error) !== "badRevocationReason") throw error;
      await post({});
    });
    return "revoked";
  } catch (error) {
    const kind = kindOf(error);
    if (kind === "alreadyRevoked") return "revoked";
    if (kind !== null && final.has(kind)) return "refused";
    throw new Problem("unavailable");
  }
}

/** None for what is about us: 401 says that our account has ended (RFC 8555 §7.3.6), 429 that we ask too often. */
const kindOf = (error: unknown): string | null => {
  const isVerdict =
    error instanceof AcmeRefusal && error.status < 500 && ![401, 429].includes(error.status);
  return isVerdict ? error.kind : null;
};
