/**
 * The bulk lane at the edge: a segment of a response on its way from a device to the visitor who waits
 * for it. The object knows whose token it is; the edge passes the bytes on as they come.
 */

import { ownerOf } from "../../db/queries/devices.ts";
import { peerHeader, wayHeader } from "../../durable-objects/device/rpc.ts";
import { agentBulkPath, bulkOffsetHeader } from "../../protocol/agent.ts";
import { isId } from "../../protocol/ids.ts";
import { onError, service } from "../http.ts";
import { Problem } from "../problem.ts";

export const bulk = service();
bulk.onError((error, c) => onError(error, c));
bulk.notFound((c) => onError(new Problem("not-found"), c));

/** An id without a row creates no object. */
bulk.post(`${agentBulkPath}:id`, async (c) => {
  const id = c.req.param("id");
  const token = c.req.header("authorization");
  if (token === undefined) throw new Problem("not-signed-in");
  const db = isId("dev", id) ? c.env.regions.db(id) : null;
  if (db === null || (await ownerOf(db, id)) === null) throw new Problem("device-gone");
  const headers = new Headers({ [wayHeader]: "bulk", authorization: token });
  headers.set(bulkOffsetHeader, c.req.header(bulkOffsetHeader) ?? "");
  if (c.env.peer !== null) headers.set(peerHeader, c.env.peer);
  const { body } = c.req.raw;
  const onward = new Request(c.req.url, {
    method: "POST",
    headers,
    body,
    duplex: "half",
  } as RequestInit);
  const answer = await c.env.devices.get(id).fetch(onward);
  if (answer.status === 401) throw new Problem("not-signed-in");
  return new Response(null, { status: answer.status });
});
