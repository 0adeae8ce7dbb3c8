/**
 * `check PORT`: asks the cloud whether this port of this box is open from outside. Where nothing listens
 * yet, the agent does for the moment and answers who it is, so that a forwarded port is proved to lead
 * here before any service stands behind it.
 */

import { signAssertion } from "../protocol/assertion.ts";
import { isCheckedPort } from "../protocol/reach.ts";
import { systemClock } from "./clock.ts";
import { post, problemOf } from "./cloud.ts";
import { AgentFailure, exitCodes, reasonOf } from "./failure.ts";
import { type Here, listenHere } from "./here.ts";
import { Home } from "./home.ts";

const sentences: Readonly<Record<string, string>> = {
  "this-device": "open, and it leads to this box.",
  open: "open: something answers, but it cannot be told whether it is this box.",
  "other-device": "open, but it leads to another machine. Look at the router's forwarding.",
  closed: "closed: the connection is refused. Nothing is forwarded, or nothing listens.",
  filtered: "filtered: no answer. A firewall drops it, or the provider gives no public address.",
};

/** What is to be said. @throws AgentFailure when this box is not enrolled, or the cloud refuses */
export async function checkFromOutside(folder: string, typed: string): Promise<string> {
  const port = Number(typed);
  if (!isCheckedPort(port)) throw new AgentFailure(`${typed} is not tried.`, exitCodes.usage);
  const home = new Home(folder);
  const [device, identity] = [await home.device(), await home.identity()];
  if (device === null || identity === null) {
    throw new AgentFailure("This box is not enrolled yet.", exitCodes.notEnrolled);
  }
  const { cloud, device_id: id } = device;
  const { privateKey } = identity;
  const options = { port, tls: null, cloud, privateKey, spots: () => [] };
  const here: Here | string = await listenHere(options).catch(reasonOf);
  try {
    const answer = await post(cloud, "/api/agent/reachability", {
      client_assertion: await signAssertion(privateKey, id, cloud, systemClock.now()),
      port,
      listens: typeof here !== "string",
    });
    if (answer.status !== 200) throw new AgentFailure(`${cloud} refused: ${problemOf(answer)}`);
    const { result } = answer.body as { result: string };
    return `Port ${port} is ${sentences[result] ?? result}`;
  } finally {
    if (typeof here !== "string") await here.close();
  }
}
