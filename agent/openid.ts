/**
 * How a page of this box signs people in with Latchkey: the cloud knows the box as an OpenID client
 * from its enrolment on, under its device id, at its own hosts.
 */

import { signAssertion } from "../protocol/assertion.ts";
import { type AgentClock, systemClock } from "./clock.ts";
import { post, problemOf } from "./cloud.ts";
import { AgentFailure, exitCodes } from "./failure.ts";
import { Home } from "./home.ts";

/** What a page needs to be a client; members as in RFC 7591, and the issuer. */
export interface OpenidClient {
  readonly issuer: string;
  readonly client_id: string;
  readonly token_endpoint_auth_method: "none" | "private_key_jwt";
  /** `:*` is any port; so is the port of 127.0.0.1 and [::1]. */
  readonly redirect_uris: readonly string[];
  readonly post_logout_redirect_uris: readonly string[];
}

/** What to set first: further paths, and whether the page signs with the box's key (RFC 7523). */
export interface OpenidChange {
  readonly paths: readonly string[];
  readonly signed: boolean;
}

/** @throws AgentFailure when this box is not enrolled, or the cloud is away or refuses */
export async function openidClient(
  folder: string,
  change: OpenidChange | null = null,
  clock: AgentClock = systemClock,
): Promise<OpenidClient> {
  const home = new Home(folder);
  const [device, identity] = [await home.device(), await home.identity()];
  if (device === null || identity === null) {
    throw new AgentFailure("This box is not enrolled yet.", exitCodes.notEnrolled);
  }
  const { cloud, device_id: id } = device;
  const answer = await post(cloud, "/api/agent/openid", {
    client_assertion: await signAssertion(identity.privateKey, id, cloud, clock.now()),
    ...(change === null
      ? {}
      : {
          client: {
            token_endpoint_auth_method: change.signed ? "private_key_jwt" : "none",
            redirect_paths: change.paths,
          },
        }),
  });
  if (answer.status !== 200) throw new AgentFailure(`${cloud} refused: ${problemOf(answer)}`);
  return answer.body as OpenidClient;
}
