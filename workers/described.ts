/**
 * The pieces that every described route is made of, so that the API's documents say the same thing in
 * the same way. Knows no service.
 */

import * as z from "zod";

/** A moment, as the API says it. */
export const time = z.iso.datetime();

/** An answer in JSON. */
export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

/** A request's body, which must be there. */
export const body = <T extends z.ZodType>(schema: T) => ({
  required: true,
  content: { "application/json": { schema } },
});

/** The 204 of what was done. */
export const nothing = { description: "Done; no content" };
