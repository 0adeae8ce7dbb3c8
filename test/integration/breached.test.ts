/**
 * What leaves the house when a password is chosen, seen from the other end of the wire: a server in the
 * form that the range service documents, asked by a whole running edge.
 */

import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Edge, startEdge } from "../../scripts/local/edge.ts";
import { type Mailbox, startMailbox } from "../../scripts/local/mailbox.ts";
import { freePort } from "../contract/runtime.ts";

const sha1 = (text: string) => createHash("sha1").update(text).digest("hex").toUpperCase();
const BREACHED = "a long but breached one";
const PADDED = "a long one among the padding";

let edge: Edge;
let mailbox: Mailbox;
let folder: string;
let service: Server;
let status = 200;
const asked: { line: string; headers: IncomingMessage["headers"]; body: string }[] = [];

/** Suffixes and counts of a range, as the service writes them: CRLF, no newline at the end. */
function range(prefix: string): string {
  const lines = [
    [sha1(BREACHED), 42],
    [sha1(PADDED), 0],
    [sha1("password"), 10_437_277],
  ].flatMap(([hash, count]) =>
    String(hash).startsWith(prefix) ? [`${String(hash).slice(5)}:${count}`] : [],
  );
  const padding = Array.from({ length: 800 }, (_, at) => `${sha1(String(at)).slice(5)}:0`);
  return [...padding.slice(0, 400), ...lines, ...padding.slice(400)].join("\r\n");
}

beforeAll(async () => {
  service = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    asked.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
    const prefix = /^\/range\/([0-9A-F]{5})$/.exec(request.url ?? "")?.[1];
    response.writeHead(prefix === undefined ? 400 : status, { "content-type": "text/plain" });
    response.end(
      prefix === undefined ? "The hash prefix was not in a valid format" : range(prefix),
    );
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  const { port } = service.address() as AddressInfo;
  folder = await mkdtemp(join(tmpdir(), "latchkey-breached-"));
  mailbox = await startMailbox();
  const variables = {
    SMTP_URL: mailbox.smtpUrl,
    BREACH_URL: `http://127.0.0.1:${port}/range/`,
  };
  edge = await startEdge({ data: folder, port: await freePort(), variables });
});

afterAll(async () => {
  await edge?.close();
  await mailbox?.close();
  service?.closeAllConnections();
  await new Promise((resolve) => service?.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

async function signUp(address: string, password: string) {
  const answer = await fetch(`${edge.origin}/api/sign-up`, {
    method: "POST",
    headers: { "content-type": "application/json", "user-agent": "marker-browser" },
    body: JSON.stringify({ address, password }),
  });
  return [answer.status, ((await answer.json()) as { code?: string }).code];
}

describe("[SEC-4] a password", () => {
  it("that is breached is refused; one that only pads the answer is not", async () => {
    expect(await signUp("one@marker.test", BREACHED)).toEqual([422, "password-breached"]);
    expect(await signUp("two@marker.test", PADDED)).toEqual([202, undefined]);
    expect(await signUp("three@marker.test", "a long one that nobody knows")).toEqual([
      202,
      undefined,
    ]);
  });

  it("leaves as five hex digits of its hash, and nothing of its owner goes along", async () => {
    asked.length = 0;
    await signUp("four@marker.test", BREACHED);
    expect(asked).toHaveLength(1);
    const [{ line, headers, body }] = asked as [(typeof asked)[number]];
    expect(line).toBe(`GET /range/${sha1(BREACHED).slice(0, 5)}`);
    expect(body).toBe("");
    expect(headers["add-padding"]).toBe("true");
    const whole = JSON.stringify([line, headers]).toLowerCase();
    for (const part of [BREACHED, "marker", sha1(BREACHED).slice(0, 6), sha1(BREACHED).slice(5)]) {
      expect(whole).not.toContain(part.toLowerCase());
    }
    for (const header of ["cookie", "authorization", "referer", "origin", "x-forwarded-for"]) {
      expect(headers).not.toHaveProperty(header);
    }
  });

  it("is taken when the service fails", async () => {
    status = 503;
    expect(await signUp("five@marker.test", BREACHED)).toEqual([202, undefined]);
    status = 200;
    expect(await signUp("five@marker.test", BREACHED)).toEqual([422, "password-breached"]);
  });
});
