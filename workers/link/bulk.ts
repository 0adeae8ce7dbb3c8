/**
 * The bulk lane at the edge: a segment of a response on its way from a device to the visitor who waits
 * for it, or the rest of a visitor's request on its way to the device. The object knows whose token it
 * is; the edge passes the bytes on as they come.
 */

import { ownerOf } from "../../db/queries/devices.ts";
import { peerHeader, wayHeader } from "../../durable-objects/device/rpc.ts";
import { agentBulkPath, bulkOffsetHeader } from "../../protocol/agent.ts";
import { isId } from "../../protocol/ids.ts";
import { type Ctx, onError, service } from "../http.ts";
import { Problem } from "../problem.ts";

export const bulk = service();
bulk.onError((error, c) => onError(error, c));
bulk.notFound((c) => onError(new Problem("not-found"), c));

/** @throws Problem `not-signed-in` without a token, `device-gone` for an id without a row: it creates no object */
async function objectOf(c: Ctx) {
  const id = c.req.param("id") ?? "";
  const token = c.req.header("authorization");
  if (token === undefined) throw new Problem("not-signed-in");
  const db = isId("dev", id) ? c.env.regions.db(id) : null;
  if (db === null || (await ownerOf(db, id)) === null) throw new Problem("device-gone");
  const headers = new Headers({ [wayHeader]: "bulk", authorization: token });
  if (c.env.peer !== null) headers.set(peerHeader, c.env.peer);
  return { object: c.env.devices.get(id), headers };
}

/** A segment of a response. */
bulk.post(`${agentBulkPath}:id`, async (c) => {
  const { object, headers } = await objectOf(c);
  headers.set(bulkOffsetHeader, c.req.header(bulkOffsetHeader) ?? "");
  const { body } = c.req.raw;
  const onward = { method: "POST", headers, body, duplex: "half" } as RequestInit;
  const answer = await object.fetch(new Request(c.req.url, onward));
  if (answer.status === 401) throw new Problem("not-signed-in");
  return new Response(null, { status: answer.status });
});

/** The rest of a request. */
bulk.get(`${agentBulkPath}:id`, async (c) => {
  const { object, headers } = await objectOf(c);
  const answer = await object.fetch(new Request(c.req.url, { method: c.req.method, headers }));
  if (answer.status === 401) throw new Problem("not-signed-in");
  return answer;
});
