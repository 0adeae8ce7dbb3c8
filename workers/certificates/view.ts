/** How a certificate stands, as the API and the box are told. */

import * as z from "zod";
import {
  type CertificateAnswer,
  type CertificateStatus,
  certificateStates,
} from "../../protocol/certificates.ts";
import { limits } from "../../protocol/limits.ts";
import { time } from "../described.ts";
import { iso } from "../http.ts";
import { refusedOf } from "./revocation.ts";
import type { CertificateView } from "./service.ts";

const shared = {
  status: z.enum(certificateStates),
  names: z.array(z.string()),
  not_after: time.nullable(),
  renew_at: time.nullable(),
  queue: z.int().nullable(),
  problem: z.string().nullable(),
};

export const certificateAnswer = z
  .strictObject({
    ...shared,
    certificate: z.string().nullable(),
    domains: z.array(z.string()),
    retry_after: z.int(),
  })
  .meta({ id: "CertificateAnswer" });

export const certificateJson = z
  .strictObject({
    ...shared,
    not_before: time.nullable(),
    revoked_at: time.nullable(),
    caa: z.string().nullable(),
    refused: z.array(z.strictObject({ names: z.array(z.string()), not_after: time })),
  })
  .meta({ id: "Certificate" });

/** Where an order or, without one, the certificate stands. */
export function statusOf({ order, current }: CertificateView): CertificateStatus {
  if (order?.step === "failed") return "failed";
  if (order !== null) return order.step === "waiting" ? "waiting" : "under-way";
  return current === null || current.revokedAt !== null ? "none" : "ready";
}

function common(view: CertificateView) {
  const { current, order, queue } = view;
  return {
    status: statusOf(view),
    names: [...((current ?? order)?.names ?? [])],
    not_after: iso(current?.notAfter ?? null),
    renew_at: iso(current?.renewAt ?? null),
    queue,
    problem: order?.problem ?? null,
  };
}

/** For the owner. */
export function ownerView(view: CertificateView, now: number): z.infer<typeof certificateJson> {
  const { current, caa } = view;
  const refused = refusedOf(view, now).map(({ names, notAfter }) => ({
    ...{ names: [...names], not_after: iso(notAfter) },
  }));
  return {
    ...common(view),
    not_before: iso(current?.notBefore ?? null),
    revoked_at: iso(current?.revokedAt ?? null),
    caa,
    refused,
  };
}

/** For the box. */
export function boxView(
  view: CertificateView,
  now: number,
): CertificateAnswer & {
  names: string[];
  domains: string[];
} {
  const { current, order, domains } = view;
  const idle = limits.certificateIdleAskSeconds;
  const dueAt = order?.dueAt ?? current?.renewAt ?? Infinity;
  const seconds = order?.step === "failed" ? idle : Math.ceil((dueAt - now) / 1000);
  return {
    ...common(view),
    certificate: current === null || current.revokedAt !== null ? null : current.chain,
    domains: [...domains],
    retry_after: Math.min(Math.max(seconds, limits.certificateAskMs / 1000), idle),
  };
}
