/** Certificates that we order: a box asks for its own, and its owner sees how it stands and ends it. */

import * as z from "zod";
import { certificatePath } from "../../protocol/certificates.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import { body, json, nothing } from "../described.ts";
import { getDevice, ownDevice } from "../devices/devices.ts";
import { provedDevice } from "../devices/proved.ts";
import { confirmed, scoped, signedIn } from "../guard.ts";
import { noStore, service } from "../http.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { type RevocationReason, revocationReasons, revokeCertificate } from "./revocation.ts";
import { askCertificate, certificateOf, refreshRenewal, setAuthorities } from "./service.ts";
import { boxView, certificateAnswer, certificateJson, ownerView } from "./view.ts";

const deviceId = z.strictObject({ id: z.string() });
/** The request's DER in base64url. */
const request = z.string().max(Math.ceil((limits.certificateRequestBytes * 4) / 3));

export const certificates = service();

certificates.openapi(
  createRoute({
    method: "post",
    path: certificatePath,
    summary: "A device asks for a certificate of its name, or how its order stands",
    middleware: noStore,
    request: {
      body: body(
        z.strictObject({ client_assertion: z.string().max(2048), request: request.optional() }),
      ),
    },
    responses: { 200: json(certificateAnswer, "How it stands now") },
  }),
  async (c) => {
    const { client_assertion: assertion, request } = c.req.valid("json");
    const { id, accountId } = await provedDevice(c.env, assertion);
    const { certificateAsksPerDevice, certificateAskWindowMs } = limits;
    const allowed = await c.env.limits.take(
      "certificate-ask",
      id,
      certificateAsksPerDevice,
      certificateAskWindowMs,
    );
    if (!allowed) throw new Problem("too-many-tries");
    if (request !== undefined) await askCertificate(c.env, { deviceId: id, accountId }, request);
    else await refreshRenewal(c.env, id);
    const view = await certificateOf(c.env, id);
    if (view === null) throw new Problem("feature-off");
    return c.json(boxView(view, c.env.clock.now()), 200);
  },
);

certificates.openapi(
  createRoute({
    method: "get",
    path: "/api/devices/{id}/certificate",
    summary: "The certificate that we ordered for a device, or how its order stands",
    middleware: [scoped("devices:read"), noStore] as const,
    request: { params: deviceId },
    responses: { 200: json(certificateJson, "Without the key, which is on the device") },
  }),
  async (c) => {
    const { id } = await getDevice(c.env, c.var.accountId, c.req.valid("param").id);
    const view = await certificateOf(c.env, id);
    if (view === null) throw new Problem("feature-off");
    return c.json(ownerView(view, c.env.clock.now()), 200);
  },
);

certificates.openapi(
  createRoute({
    method: "post",
    path: "/api/devices/{id}/certificate/revocation",
    summary: "Revoke a device's certificate: it cannot be undone, so you show first who you are",
    middleware: [signedIn, confirmed] as const,
    request: {
      params: deviceId,
      body: body(
        z.strictObject({
          reason: z.enum(Object.keys(revocationReasons) as [RevocationReason]),
        }),
      ),
    },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { accountId } = c.var;
    const device = await getDevice(c.env, accountId, c.req.valid("param").id);
    await revokeCertificate(c.env, c.env.devices.get(device.id), c.req.valid("json").reason);
    await note(c.env, accountId, "certificate-revoked", {
      client: clientOf(c),
      about: device.label,
    });
    return c.body(null, 204);
  },
);

certificates.openapi(
  createRoute({
    method: "put",
    path: "/api/devices/{id}/certificate/authorities",
    summary:
      "Say whether any authority may certify the device's name, or only ours (CAA, RFC 8659)",
    middleware: scoped("devices:write"),
    request: { params: deviceId, body: body(z.strictObject({ any: z.boolean() })) },
    responses: { 204: nothing },
  }),
  async (c) => {
    const device = await ownDevice(c.env, c.var.accountId, c.req.valid("param").id);
    await setAuthorities(c.env, device, c.req.valid("json").any);
    return c.body(null, 204);
  },
);
