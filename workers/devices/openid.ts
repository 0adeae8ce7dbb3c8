/**
 * What a device says of its own web page as an OpenID client: which paths a sign-in may lead back to,
 * and whether the page shows the device's key at the token endpoint. Hosts it cannot choose: they are
 * its own, by its name.
 */

import * as z from "zod";
import {
  type OpenidDevice,
  type OpenidSettings,
  openidAuths,
} from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { type Config, doorOrigin } from "../config.ts";
import { body, json } from "../described.ts";
import { noStore, service } from "../http.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { createRoute } from "../service.ts";
import { provedDevice } from "./proved.ts";

/** Where every device's page may be led back to without saying so. */
export const CALLBACK_PATH = "/.latchkey/callback";

/** Where a device's page is: at its door, under its name at any port, and on the box itself. */
export interface DeviceAddresses {
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris: readonly string[];
}

/** The addresses that a device with `label` and `paths` may be led back to; `:*` is any port. */
export function deviceAddresses(
  config: Pick<Config, "origin" | "linkZone" | "ddnsZone">,
  { label, paths }: Pick<OpenidDevice, "label" | "paths">,
): DeviceAddresses {
  const origins = [
    doorOrigin(config as Config, label),
    `https://${label}.${config.ddnsZone}:*`,
    "http://127.0.0.1",
    "http://[::1]",
  ];
  const all = [...new Set([CALLBACK_PATH, ...paths])];
  return {
    redirectUris: origins.flatMap((origin) => all.map((path) => origin + path)),
    postLogoutRedirectUris: origins.map((origin) => `${origin}/`),
  };
}

/**
 * True for a path that means one thing everywhere: plain characters, no empty or dotted segment, no
 * query, and none of the door's own (`/.well-known/latchkey/`).
 */
export function isCallbackPath(path: string): boolean {
  if (path.length > limits.callbackPathLength) return false;
  if (!/^(\/[A-Za-z0-9._~-]+)+\/?$/.test(path)) return false;
  if (path.split("/").some((segment) => segment === "." || segment === "..")) return false;
  return !path.startsWith("/.well-known/latchkey/");
}

/**
 * Answers a device that proves itself with an assertion of its key, and keeps what it says, if
 * anything. @throws Problem `not-signed-in` for a wrong proof, `device-gone`, `bad-request`, `too-many`
 */
export async function openidOfDevice(
  ports: Ports,
  assertion: string,
  settings: OpenidSettings | null,
): Promise<{ readonly id: string; readonly device: OpenidDevice }> {
  const { id, object, device } = await provedDevice(ports, assertion);
  if (settings === null) return { id, device };
  if (settings.paths.length > limits.callbackPathsPerDevice) throw new Problem("too-many");
  if (!settings.paths.every(isCallbackPath)) throw new Problem("bad-request", "redirect_paths");
  if (!(await object.setOpenid(settings))) throw new Problem("device-gone");
  return { id, device: { ...device, ...settings } };
}

const answer = z.strictObject({
  issuer: z.string(),
  client_id: z.string(),
  token_endpoint_auth_method: z.enum(openidAuths),
  redirect_uris: z.array(z.string()),
  post_logout_redirect_uris: z.array(z.string()),
});

export const deviceOpenid = service();

deviceOpenid.openapi(
  createRoute({
    method: "post",
    path: "/api/agent/openid",
    middleware: noStore,
    request: {
      body: body(
        z.strictObject({
          client_assertion: z.string().max(2048),
          client: z
            .strictObject({
              token_endpoint_auth_method: z.enum(openidAuths).default("none"),
              redirect_paths: z.array(z.string()).max(100).default([]),
            })
            .optional(),
        }),
      ),
    },
    responses: { 200: json(answer, "The device's own page as an OpenID client; `:*` is any port") },
  }),
  async (c) => {
    const { client_assertion: assertion, client } = c.req.valid("json");
    const settings =
      client === undefined
        ? null
        : { auth: client.token_endpoint_auth_method, paths: client.redirect_paths };
    const { id, device } = await openidOfDevice(c.env, assertion, settings);
    const { redirectUris, postLogoutRedirectUris } = deviceAddresses(c.env.config, device);
    return c.json(
      {
        issuer: c.env.config.origin,
        client_id: id,
        token_endpoint_auth_method: device.auth,
        redirect_uris: [...redirectUris],
        post_logout_redirect_uris: [...postLogoutRedirectUris],
      },
      200,
    );
  },
);
