/**
 * The JSON API beside dyndns2: where a device's names lead, read and changed with a token of the name.
 * All that one request names of a device is changed, or nothing; of several devices, as several.ts says.
 */

import * as z from "zod";
import { keepAll } from "../../durable-objects/device/dyndns2.ts";
import { programOf } from "../../durable-objects/device/name-clients.ts";
import type { AddressChange, UpdateResult } from "../../durable-objects/device/rpc.ts";
import { parseAddress, parseNetwork, parsePeer } from "../../protocol/addresses.ts";
import { limits } from "../../protocol/limits.ts";
import { labelUnder } from "../../protocol/names.ts";
import { body, json } from "../described.ts";
import { type Ctx, noStore, service } from "../http.ts";
import { Problem, problemResponse } from "../problem.ts";
import { createRoute } from "../service.ts";
import { countRefusal, deviceOf } from "./client.ts";
import { changeAllNames } from "./several.ts";

const host = z.string().min(1).max(254);
const ipv4 = z.string().max(49).nullable();
const other = z.strictObject({
  host: z.string(),
  ipv4: z.string().nullable(),
  ipv6: z.string().nullable(),
  changed: z.boolean(),
  problem: z.enum(["not-found", "address-unfit", "too-many-changes"]).nullable(),
});
const led = z.strictObject({
  hosts: z.array(z.string()),
  ipv4: z.string().nullable(),
  ipv6: z.string().nullable(),
  changed: z.boolean(),
  others: z.array(other).meta({
    description: "Names of other devices, for a token that speaks for them",
  }),
});

export const nameUpdates = service();
nameUpdates.use("/api/names", noStore);
nameUpdates.use("/api/names/*", noStore);

nameUpdates.openapi(
  createRoute({
    method: "get",
    path: "/api/names/{host}",
    summary: "Where a name leads, for who has a token of it",
    request: { params: z.strictObject({ host }) },
    responses: { 200: json(led, "`changed` is false") },
  }),
  async (c) => {
    const { host } = c.req.valid("param");
    const answer = await changed(c as Ctx, [host], keepAll);
    return answer instanceof Response ? (answer as never) : c.json(answer, 200);
  },
);

nameUpdates.openapi(
  createRoute({
    method: "patch",
    path: "/api/names",
    summary: "Say where names lead; sent with a token of the first",
    request: {
      body: body(
        z.strictObject({
          hosts: z.array(host).min(1).max(limits.updateHosts),
          ipv4: ipv4
            .meta({ description: "An address; `auto`: the one you are seen with; null: none" })
            .optional(),
          ipv6: ipv4
            .meta({ description: "The same, or a prefix such as 2001:db8:1::/56" })
            .optional(),
        }),
      ),
    },
    responses: { 200: json(led, "As it is now. What was not named is as it was") },
  }),
  async (c) => {
    const asked = c.req.valid("json");
    const answer = await changed(c as Ctx, asked.hosts, {
      ipv4: changeFrom("ipv4", asked.ipv4, c.env.peer),
      ipv6: changeFrom("ipv6", asked.ipv6, c.env.peer),
    });
    return answer instanceof Response ? (answer as never) : c.json(answer, 200);
  },
);

/** @throws Problem `address-unfit` for what is none of its family */
function changeFrom(
  family: "ipv4" | "ipv6",
  said: string | null | undefined,
  peer: string | null,
): AddressChange {
  if (said === undefined) return "keep";
  if (said === null) return "clear";
  const network = said.includes("/") ? parseNetwork(said) : null;
  if (family === "ipv6" && network?.family === "ipv6") {
    return { prefix: `${network.text}/${network.bits}` };
  }
  const address = said === "auto" ? parsePeer(peer ?? "") : parseAddress(said);
  if (address?.family !== family) throw new Problem("address-unfit", family);
  return { set: address.text };
}

/** Names of another device, and none, read the same as a wrong token: who has none learns nothing. */
async function changed(
  c: Ctx,
  hosts: readonly string[],
  changes: { readonly ipv4: AddressChange; readonly ipv6: AddressChange },
): Promise<z.infer<typeof led> | Response> {
  const password = /^Bearer (\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
  const [first = ""] = hosts;
  const deviceId = await deviceOf({ user: first, password }, c.env);
  if (deviceId === null) return await refused(c);
  const right = await c.env.devices.get(deviceId).nameRight(password, "address", c.env.peer);
  if (right === null) return await refused(c);
  const labels = hosts.map((one) => labelUnder(one, c.env.config.ddnsZone));
  const isOwn = (at: number) => right.labels.includes(labels[at] ?? "");
  const client = programOf(c.req.header("user-agent") ?? null) || "the API";
  const said = { secret: password, client, changes };
  const results = await changeAllNames({ deviceId, right, labels, said }, c.env);
  if (results === null) throw new Problem("not-found", "hosts");
  const [own] = results.values();
  const others = hosts.flatMap((host, at) =>
    isOwn(at) ? [] : [otherOf(host, results.get(labels[at] ?? ""))],
  );
  const answer =
    own === undefined
      ? null
      : answerOf(
          hosts.filter((_, at) => isOwn(at)),
          own,
        );
  if (answer === null) return await refused(c);
  return answer instanceof Response ? answer : { ...answer, others };
}

/** What became of a name of another device: what it refuses although it was asked before came in between. */
function otherOf(host: string, result: UpdateResult | undefined): z.infer<typeof other> {
  const { verdict = "nohost", ipv4 = null, ipv6 = null } = result ?? {};
  const isDone = verdict === "good" || verdict === "nochg";
  if (isDone) return { host, ipv4, ipv6, changed: verdict === "good", problem: null };
  const problem =
    verdict === "911" ? "too-many-changes" : verdict === "dnserr" ? "address-unfit" : "not-found";
  return { host, ipv4: null, ipv6: null, changed: false, problem };
}

/** Null for what became wrong meanwhile. @throws Problem `address-unfit`, `name-flood` */
function answerOf(
  hosts: readonly string[],
  { verdict, ipv4, ipv6, retryAfter }: UpdateResult,
): Omit<z.infer<typeof led>, "others"> | Response | null {
  switch (verdict) {
    case "good":
    case "nochg":
      return { hosts: [...hosts], ipv4, ipv6, changed: verdict === "good" };
    case "dnserr":
      throw new Problem("address-unfit");
    case "abuse":
      throw new Problem("name-flood");
    case "911": {
      const response = problemResponse("too-many-changes");
      response.headers.set("retry-after", String(Math.ceil(retryAfter ?? 60)));
      return response;
    }
    default:
      return null;
  }
}

async function refused(c: Ctx): Promise<never> {
  throw new Problem((await countRefusal(c.env)) ? "name-token-wrong" : "too-many-tries");
}
