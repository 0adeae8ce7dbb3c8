/** The device grant: RFC 8628. */

import assert from "node:assert/strict";
import type { Client, Run } from "./issuer.ts";
import { ended, names, refused, said, steps } from "./step.ts";

const GRANT = "urn:ietf:params:oauth:grant-type:device_code";

interface Started {
  readonly device_code: string;
  readonly user_code: string;
  readonly verification_uri: string;
  readonly verification_uri_complete: string;
  readonly expires_in: number;
  readonly interval: number;
}

const startAs = (run: Run, client: Client, fields = { scope: "openid offline_access" }) =>
  run.ask(client, fields, run.metadata.device_authorization_endpoint);

async function start(run: Run): Promise<Started> {
  const answer = await startAs(run, run.issuer.clients.native);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

const poll = (run: Run, code: string, client = run.issuer.clients.native) =>
  run.ask(client, { grant_type: GRANT, device_code: code });

export const device = steps("device", {
  "starts with a code for the device and one for the person": async (run) => {
    const started = await start(run);
    assert.match(started.user_code, /^[A-Z0-9]{4}-?[A-Z0-9]{4}$/);
    assert(!started.verification_uri.includes(started.user_code));
    assert(started.verification_uri_complete.includes(started.user_code));
    assert(started.expires_in > 0);
    return names(started);
  },
  "an unknown client": async (run) =>
    refused(await startAs(run, { ...run.issuer.clients.native, id: "nobody" }), "invalid_client"),
  "a client that may not": async (run) => refused(await startAs(run, run.issuer.clients.post)),
  "pending until the person answers": async (run) =>
    refused(await poll(run, (await start(run)).device_code), "authorization_pending"),
  "asked again at once": async (run) => {
    const { device_code: code } = await start(run);
    await poll(run, code);
    return refused(await poll(run, code), ["authorization_pending", "slow_down"]);
  },
  "allowed at the complete address: tokens, once": async (run) => {
    const started = await start(run);
    const walk = await run.walk(started.verification_uri_complete);
    const first = await poll(run, started.device_code);
    assert.equal(first.status, 200, first.text);
    refused(await poll(run, started.device_code), ["invalid_grant", "expired_token"]);
    const claims = await run.verified(first.json.id_token, run.issuer.clients.native);
    assert.equal(typeof claims.sub, "string");
    assert.equal(claims.nonce, undefined);
    return `${walk.asked.join(", ")}; ${ended(walk)}; ${names(first.json)}`;
  },
  "allowed by typing the code": async (run) => {
    const started = await start(run);
    const userCode = started.user_code;
    const walk = await run.walk(started.verification_uri, { userCode });
    assert.equal((await poll(run, started.device_code)).status, 200);
    return `${walk.asked.join(", ")}; ${ended(walk)}`;
  },
  "typed in small letters, with a space": async (run) => {
    const started = await start(run);
    const userCode = started.user_code.toLowerCase().replace("-", " ");
    await run.walk(started.verification_uri, { userCode });
    return said(await poll(run, started.device_code));
  },
  "a code for nobody": async (run) => {
    const { verification_uri: page } = await start(run);
    const walk = await run.walk(page, { userCode: "BBBB-BBBB" });
    assert(!walk.asked.includes("confirm-code"));
    return "unknown";
  },
  "two at once: one gets the tokens": async (run) => {
    const started = await start(run);
    await run.walk(started.verification_uri_complete);
    const answers = await Promise.all([0, 1, 2].map(() => poll(run, started.device_code)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    return "one";
  },
  declined: async (run) => {
    const started = await start(run);
    await run.walk(started.verification_uri_complete, { allow: false });
    return refused(await poll(run, started.device_code), "access_denied");
  },
  refreshed: async (run) => {
    const started = await start(run);
    await run.walk(started.verification_uri_complete);
    const first = (await poll(run, started.device_code)).json;
    const answer = await run.refresh(run.issuer.clients.native, first.refresh_token);
    assert.equal(answer.status, 200, answer.text);
    return names(answer.json);
  },
  "another client's code": async (run) => {
    const started = await start(run);
    const { web } = run.issuer.clients;
    return refused(await poll(run, started.device_code, web));
  },
  "a code that is none": async (run) => refused(await poll(run, "nonsense"), "invalid_grant"),
  "no code": async (run) =>
    refused(await run.ask(run.issuer.clients.native, { grant_type: GRANT }), "invalid_request"),
});
