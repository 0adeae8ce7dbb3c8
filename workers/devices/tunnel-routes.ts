/** What a program needs to open a tunnel to a device: its key, which it remembers, and its services. */

import * as z from "zod";
import { keyFingerprint } from "../../protocol/agent.ts";
import { checkLabel } from "../../protocol/names.ts";
import { doorOrigin } from "../config.ts";
import { json } from "../described.ts";
import { scoped } from "../guard.ts";
import { noStore, service } from "../http.ts";
import { isContactAt } from "../people/doors.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";

const offerJson = z.strictObject({
  device_id: z.string(),
  label: z.string(),
  link: z.string(),
  public_key: z.string().meta({ description: "Ed25519, base64url of 32 bytes" }),
  fingerprint: z.string(),
  online: z.boolean(),
  services: z.array(z.string()),
});

export const tunnels = service();
tunnels.use("/api/tunnels/*", noStore);

tunnels.openapi(
  createRoute({
    method: "get",
    path: "/api/tunnels/{label}",
    summary: "The key and the TCP services of a device that you may open tunnels to",
    middleware: scoped("devices:connect"),
    request: { params: z.strictObject({ label: z.string() }) },
    responses: { 200: json(offerJson, "The device as it is now") },
  }),
  async (c) => {
    const { label } = c.req.valid("param");
    const id = checkLabel(label) === null ? await c.env.names.deviceOfLabel(label) : null;
    const { accountId } = c.var;
    const contact = id !== null && (await isContactAt(c.env, id, accountId));
    const offer = id === null ? null : await c.env.devices.get(id).tunnelOffer(accountId, contact);
    if (offer === null) throw new Problem("not-found");
    return c.json(
      {
        device_id: offer.id,
        label: offer.label,
        link: doorOrigin(c.env.config, offer.label),
        public_key: offer.publicKey,
        fingerprint: await keyFingerprint(offer.publicKey),
        online: offer.online,
        services: [...offer.services],
      },
      200,
    );
  },
);
