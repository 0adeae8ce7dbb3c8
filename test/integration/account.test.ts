/** Sign-up to erasure over HTTP, with real mail over SMTP, on a whole running edge. */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Edge, startEdge } from "../../scripts/local/edge.ts";
import { linkIn, type Mailbox, startMailbox } from "../../scripts/local/mailbox.ts";

let edge: Edge;
let mailbox: Mailbox;
let data: string;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

beforeAll(async () => {
  mailbox = await startMailbox();
  data = await mkdtemp(join(tmpdir(), "latchkey-account-"));
  edge = await startEdge({
    data,
    port: await freePort(),
    variables: { SMTP_URL: mailbox.smtpUrl },
  });
});

afterAll(async () => {
  await edge.close();
  await mailbox.close();
  await rm(data, { recursive: true });
});

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(edge.origin + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

describe("an account over the JSON API", () => {
  it("signs up, verifies by mail, signs in and out", async () => {
    const address = "Ada@Example.org";
    const password = "an unlikely password";
    const asked = await post("/api/sign-up", { address, password });
    expect([asked.status, await asked.json()]).toEqual([202, { mail: "sent" }]);
    const mail = await mailbox.next("Ada@example.org");
    const token = new URL(linkIn(mail)).searchParams.get("token");
    const verified = await post("/api/sign-up/verify", { token });
    expect(verified.status).toBe(201);
    const signedIn = await post("/api/sessions", { address, password });
    expect(signedIn.status).toBe(201);
    const session = (await signedIn.json()) as { token: string };
    const list = await fetch(`${edge.origin}/api/sessions`, {
      headers: { authorization: `Bearer ${session.token}` },
    });
    expect(await list.json()).toMatchObject({ sessions: [{ current: true }, { current: false }] });
  });
});
