/**
 * The front door of every HTTP service: one typed Hono app, validation that refuses unknown fields,
 * and one place where a failure becomes `application/problem+json`.
 */

import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import type { FrontPorts, Ports } from "./ports.ts";
import { Problem, problemResponse } from "./problem.ts";
import { describedApp } from "./service.ts";

export type AppEnv<P extends FrontPorts = Ports> = { Bindings: P; Variables: Signed };
/** Who asks, on routes behind `signedIn`. */
export interface Signed {
  accountId: string;
  sessionId: string;
  /** When its owner last showed who they are; ms since the epoch. */
  confirmedAt: number;
}

export type Ctx<P extends FrontPorts = Ports> = Context<AppEnv<P>>;

/** A service's app: bad input is a problem, never an exception. */
export const service = <P extends FrontPorts = Ports>(): OpenAPIHono<AppEnv<P>> =>
  describedApp<AppEnv<P>>();

/** Turns whatever was thrown into a response; what we did not foresee says nothing of itself. */
export const onError = <P extends FrontPorts>(error: Error, c: Ctx<P>): Response =>
  failureResponse(error, c.env);

/** The same for what no router answers. */
export function failureResponse(error: unknown, ports: Pick<FrontPorts, "log">): Response {
  if (error instanceof Problem) return problemResponse(error.code, error.field);
  if (error instanceof HTTPException) {
    return problemResponse(error.status === 403 ? "cross-site" : "bad-request");
  }
  ports.log({ event: "internal-error", code: error instanceof Error ? error.name : "unknown" });
  return problemResponse("internal");
}

/** Milliseconds since 1970 as the API says them; null stays null. */
export function iso(ms: number): string;
export function iso(ms: number | null): string | null;
export function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** For answers that belong to one person: no cache keeps them. */
export const noStore: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  c.header("cache-control", "no-store");
};
