/**
 * A service's routes, described once: what a route takes is checked before its handler runs, and the
 * same description becomes docs/openapi.json. The types are `@hono/zod-openapi`'s; its code stays out
 * of the Worker, which would else carry a document generator and all of zod's languages to every edge
 * and evaluate them at every start (docs/decisions/weight.md).
 */

import type { createRoute as CreateRoute, OpenAPIHono, RouteConfig } from "@hono/zod-openapi";
import { Hono, type MiddlewareHandler } from "hono";
import { validator } from "hono/validator";
import type { ZodType } from "zod";
import { Problem, problemResponse } from "./problem.ts";

/** A route's description; paths are written as OpenAPI has them, `/api/devices/{id}`. */
export const createRoute: typeof CreateRoute = (route) => ({
  ...route,
  getRoutingPath: () => routingPath(route.path) as never,
});

const routingPath = (path: string): string => path.replaceAll(/\{(.+?)\}/g, ":$1");

const described = new WeakMap<object, RouteConfig[]>();

/** The descriptions of an app's routes and of those it mounted, in order. */
export const descriptionsOf = (app: object): readonly RouteConfig[] => described.get(app) ?? [];

/** A Hono app whose described routes refuse what they were not described to take. */
export function describedApp<E extends object>(): OpenAPIHono<E> {
  const app = new Hono<E>();
  const routes: RouteConfig[] = [];
  described.set(app, routes);
  const mount = app.route.bind(app) as (path: string, of: Hono<E>) => Hono<E>;
  return Object.assign(app, {
    openapi(route: RouteConfig, handler: MiddlewareHandler<E>) {
      routes.push(route);
      const before = [route.middleware ?? []].flat() as MiddlewareHandler<E>[];
      app.on(route.method, [routingPath(route.path)], ...before, ...checksOf(route), handler);
      return app;
    },
    route(path: string, of: Hono<E>) {
      routes.push(...descriptionsOf(of));
      return mount(path, of);
    },
  }) as unknown as OpenAPIHono<E>;
}

const JSON_TYPE = /^application\/(?:[a-z.-]+\+)?json\b/i;

/** What is checked of a request, in the order in which it is cheap. */
function checksOf({ request }: RouteConfig): MiddlewareHandler[] {
  const checks: MiddlewareHandler[] = [];
  const { params, query, body } = request ?? {};
  if (params !== undefined) checks.push(check("param", params as ZodType));
  if (query !== undefined) checks.push(check("query", query as ZodType));
  const content = body?.content["application/json"] as { schema?: unknown } | undefined;
  const schema = content?.schema;
  if (schema !== undefined) checks.push(jsonCheck(schema as ZodType, body?.required === true));
  return checks;
}

const check = (target: "param" | "query", schema: ZodType) =>
  validator(target, (value) => judged(schema, value));

function jsonCheck(schema: ZodType, required: boolean): MiddlewareHandler {
  const checked = validator("json", (value) => judged(schema, value));
  return (c, next) => {
    const type = c.req.header("content-type");
    if (type === undefined && !required) {
      c.req.addValidatedData("json", {});
      return next();
    }
    if (type !== undefined && !JSON_TYPE.test(type)) throw new Problem("bad-request");
    return checked(c, next);
  };
}

async function judged(schema: ZodType, value: unknown): Promise<object | Response> {
  const result = await schema.safeParseAsync(value);
  if (result.success) return result.data as object;
  const [issue] = result.error.issues;
  const unknown = issue?.code === "unrecognized_keys";
  return problemResponse(unknown ? "unknown-field" : "bad-request", issue?.path.join("."));
}
