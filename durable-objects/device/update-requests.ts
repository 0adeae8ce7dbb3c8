/**
 * An update of one name by dyndns2, judged where the name is. It comes as a request, for a remote procedure
 * costs twice as much, and routers ask day and night. The edge has found out whose name it is, that every
 * host in it is that one, and counts what is refused.
 */

import type { DeviceContext } from "./context.ts";
import { laterAnswer, lineOf, planUpdate, unreadable, verdictsAnswer } from "./dyndns2.ts";
import { programOf, readCredentials } from "./name-clients.ts";
import type { Naming } from "./naming.ts";
import { peerOf } from "./said.ts";

const OUTAGE_RETRY_SECONDS = 60;

/** The answer for the client; 401 without words for who may not. */
export async function answerUpdate(
  request: Request,
  naming: Naming,
  platform: DeviceContext,
): Promise<Response> {
  const { headers, url } = request;
  const from = peerOf(request, platform);
  const plan = planUpdate(new URLSearchParams(url.slice(url.indexOf("?") + 1)), from);
  const { hosts, changes } = plan;
  const [label = ""] = hosts[0]?.toLowerCase().split(".") ?? [];
  const result = await naming.updateAddresses({
    secret: readCredentials(headers.get("authorization"))?.password ?? "",
    from,
    labels: [label],
    client: programOf(headers.get("user-agent")),
    ...(changes ?? unreadable),
  });
  const { verdict, retryAfter } = result;
  if (verdict === "badauth" || verdict === "nohost") return new Response(null, { status: 401 });
  if (verdict === "abuse") return verdictsAnswer("abuse");
  if (verdict === "911") return laterAnswer(retryAfter ?? OUTAGE_RETRY_SECONDS);
  const line = changes === null ? "dnserr" : lineOf(result, changes);
  return verdictsAnswer(...hosts.map(() => line));
}
