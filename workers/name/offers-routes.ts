/** The JSON API of names that go from one person to another. */

import * as z from "zod";
import { labelFrom } from "../../protocol/names.ts";
import { body, json, nothing, time } from "../described.ts";
import { confirmed, signedIn } from "../guard.ts";
import { iso, noStore, service } from "../http.ts";
import { createRoute } from "../service.ts";
import { clientOf } from "../sign-in/client.ts";
import { acceptOffer, endOffer, offerName, offersOf } from "./offers.ts";

const offerId = z.strictObject({ id: z.string() });
const offerJson = z.strictObject({
  id: z.string(),
  label: z.string(),
  from: z.string(),
  to: z.string(),
  expires_at: time,
});

export const nameOffers = service();
nameOffers.use("/api/name-offers", noStore);
nameOffers.use("/api/name-offers/*", noStore);

nameOffers.openapi(
  createRoute({
    method: "get",
    path: "/api/name-offers",
    summary: "Names that are offered to you, and that you offer",
    middleware: signedIn,
    responses: {
      200: json(z.strictObject({ offers: z.array(offerJson) }), "The one that ends first, first"),
    },
  }),
  async (c) => {
    const offers = await offersOf(c.env, c.var.accountId);
    const shown = offers.map(({ deviceId: _, expiresAt, ...offer }) => ({
      ...offer,
      expires_at: iso(expiresAt),
    }));
    return c.json({ offers: shown }, 200);
  },
);

nameOffers.openapi(
  createRoute({
    method: "post",
    path: "/api/devices/{id}/names/{label}/offer",
    summary: "Offer a name to a contact. What they took is theirs: you show first who you are",
    middleware: [signedIn, confirmed] as const,
    request: {
      params: z.strictObject({ id: z.string(), label: z.string() }),
      body: body(
        z.strictObject({ to: z.string().max(100).meta({ description: "Their Latchkey ID" }) }),
      ),
    },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { id, label: typed } = c.req.valid("param");
    const [label, { to }] = [labelFrom(typed), c.req.valid("json")];
    await offerName(c.env, c.var.accountId, id, { label, to }, clientOf(c));
    return c.body(null, 204);
  },
);

nameOffers.openapi(
  createRoute({
    method: "post",
    path: "/api/name-offers/{id}/acceptance",
    summary: "Take a name over, as one name more of a device of yours",
    middleware: signedIn,
    request: { params: offerId, body: body(z.strictObject({ device: z.string().max(100) })) },
    responses: { 204: nothing },
  }),
  async (c) => {
    const { device } = c.req.valid("json");
    await acceptOffer(c.env, c.var.accountId, c.req.valid("param").id, device, clientOf(c));
    return c.body(null, 204);
  },
);

nameOffers.openapi(
  createRoute({
    method: "delete",
    path: "/api/name-offers/{id}",
    summary: "Decline what is offered to you, or withdraw what you offer",
    middleware: signedIn,
    request: { params: offerId },
    responses: { 204: nothing },
  }),
  async (c) => {
    await endOffer(c.env, c.var.accountId, c.req.valid("param").id);
    return c.body(null, 204);
  },
);
