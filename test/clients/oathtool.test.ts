/**
 * Codes of an app, made by Debian's oathtool and read from the QR code by zbarimg: what a person has on
 * the phone, in the hand of two programs that know nothing of us.
 */

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Edge, startEdge } from "../../scripts/local/edge.ts";
import { linkIn, type Mailbox, startMailbox } from "../../scripts/local/mailbox.ts";
import { freePort } from "../support/browser.ts";

const run = promisify(execFile);
const address = "ada@example.org";
const password = "correct horse battery staple";
let folder: string;
let mailbox: Mailbox;
let edge: Edge;
let token: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "latchkey-oathtool-"));
  mailbox = await startMailbox();
  const variables = { SMTP_URL: mailbox.smtpUrl };
  edge = await startEdge({ data: join(folder, "edge"), port: await freePort(), variables });
  await call("POST", "/api/sign-up", { address, password });
  const link = new URL(linkIn(await mailbox.next(address)));
  const proof = { token: link.searchParams.get("token"), password };
  token = String((await call("POST", "/api/sign-up/verify", proof)).body.token);
});

afterAll(async () => {
  await edge.close();
  await mailbox.close();
  await rm(folder, { recursive: true, force: true });
});

async function call(method: string, path: string, body?: unknown) {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const response = await fetch(edge.origin + path, init);
  const text = await response.text();
  const parsed = response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : text;
  return { status: response.status, body: parsed };
}

/** What oathtool shows `steps` time steps from now. */
async function oathtool(secret: string, steps = 0): Promise<string> {
  const at = Math.floor(Date.now() / 1000) + 30 * steps;
  const { stdout } = await run("oathtool", ["--totp", "--base32", `--now=@${at}`, secret]);
  return stdout.trim();
}

/** Draws the page's SVG in dots, as a camera would see it, and has zbarimg read it. */
async function readQr(html: string): Promise<string> {
  const svg = /<svg class="qr" viewBox="0 0 (\d+) \d+"[^>]*>.*?<path d="([^"]+)"/s.exec(html);
  const side = Number(svg?.[1]);
  const dots = Array.from({ length: side }, () => new Array<number>(side).fill(0));
  for (const [, x, y, length] of (svg?.[2] ?? "").matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    dots[Number(y)]?.fill(1, Number(x), Number(x) + Number(length));
  }
  const zoom = 6;
  const rows = dots.flatMap((row) => {
    const line = row.flatMap((dot) => new Array<number>(zoom).fill(dot)).join(" ");
    return new Array<string>(zoom).fill(line);
  });
  const file = join(folder, "qr.pbm");
  await writeFile(file, `P1\n${side * zoom} ${side * zoom}\n${rows.join("\n")}\n`);
  const { stdout } = await run("zbarimg", ["--quiet", "--raw", file]);
  return stdout.trim();
}

describe("[ACC-12] an app for codes", () => {
  it("oathtool confirms the secret of the QR code, and signs in with a code of it once", async () => {
    const cookie = `__Host-sid=${token}`;
    const page = await fetch(`${edge.origin}/account/second-step/totp`, {
      headers: { cookie, accept: "text/html" },
    });
    const uri = new URL(await readQr(await page.text()));
    expect(decodeURIComponent(uri.pathname)).toContain(address);
    const secret = uri.searchParams.get("secret") ?? "";
    const first = await oathtool(secret);
    const on = await call("POST", "/api/account/second-steps/totp", { code: first });
    expect([on.status, on.body.recovery_codes?.length]).toEqual([200, 10]);

    const began = await call("POST", "/api/sessions", { address, password });
    expect(began.status).toBe(202);
    expect(began.body.second_step.offers).toEqual(["totp", "recovery-code"]);
    const step = { token: began.body.second_step.token, kind: "totp" };
    const wrong = await call("POST", "/api/sign-in/second-step", { ...step, code: first });
    expect([wrong.status, wrong.body.code]).toEqual([401, "second-step-wrong"]);
    const code = await oathtool(secret, 1); // the first used up its own time step
    const done = await call("POST", "/api/sign-in/second-step", { ...step, code });
    expect(done.status).toBe(201);

    const again = await call("POST", "/api/sessions", { address, password });
    const replay = { token: again.body.second_step.token, kind: "totp", code };
    expect((await call("POST", "/api/sign-in/second-step", replay)).status).toBe(401);
  });
});
