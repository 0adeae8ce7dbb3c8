/** What stands before every route, whichever app answers it: no forged request, no endless body. */

import type { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { limits } from "../protocol/limits.ts";
import { forgeryGuard, isSafe } from "./forgery.ts";
import { type AppEnv, type Ctx, onError, service } from "./http.ts";
import type { FrontPorts, Ports } from "./ports.ts";
import { Problem, problemResponse } from "./problem.ts";

/** A photo is larger than anything else that is sent here. */
const photoPaths: ReadonlySet<string> = new Set(["/api/account/photo", "/account/profile/photo"]);

/** An app that others are mounted on. `fail` answers what a route threw, in the form of its visitors. */
export function guarded<P extends FrontPorts = Ports>(
  fail: (error: Error, c: Ctx<P>) => Response,
): OpenAPIHono<AppEnv<P>> {
  const app = service<P>();
  const limitBody = bodyLimit({
    maxSize: limits.requestBodyBytes,
    onError: () => problemResponse("body-too-large"),
  });
  const limitPhoto = bodyLimit({
    maxSize: limits.photoFormBytes,
    onError: (c) => fail(new Problem("photo-too-large", "photo"), c as Ctx<P>),
  });
  app.onError((error, c) => fail(error, c as Ctx<P>));
  app.notFound((c) => fail(new Problem("not-found"), c as Ctx<P>));
  app.use(forgeryGuard);
  app.use((c, next) => {
    if (isSafe(c.req.method)) return next();
    return photoPaths.has(c.req.path) ? limitPhoto(c, next) : limitBody(c, next);
  });
  return app;
}

/** An app for programs: every failure is a problem (RFC 9457). */
export const guardedService = <P extends FrontPorts = Ports>(): OpenAPIHono<AppEnv<P>> =>
  guarded<P>(onError);
