/**
 * The pieces that every described route is made of, so that the API's documents say the same thing in
 * the same way. Knows no service.
 */

import type { MiddlewareHandler } from "hono";
import * as z from "zod";
import type { AppEnv } from "./http.ts";

/** A moment, as the API says it. */
export const time = z.iso.datetime();

/** Milliseconds since 1970 as the API says them; null stays null. */
export function iso(ms: number): string;
export function iso(ms: number | null): string | null;
export function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

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

/** For answers that belong to one person: no cache keeps them. */
export const noStore: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  c.header("cache-control", "no-store");
};
