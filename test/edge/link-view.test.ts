/** The viewer at the edge: whom it is for, where it leads, and what its policies allow. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { framePolicies, names } from "../../console/dist/names.ts";
import { frameType } from "../../protocol/link/frames.ts";
import { hashToken } from "../../protocol/tokens.ts";
import type { Ports } from "../../workers/ports.ts";
import { testPorts } from "../support/ports.ts";
import { guest, newDevice, owner, type TestDevice } from "./link-device.ts";

const VIEW = "/.well-known/latchkey/view";
const NONCE = "n".repeat(43);
const frame = names["view-pdf.html"];
let ports: Ports;

beforeEach(() => {
  ({ ports } = testPorts({ env }));
});

const viewOf = (path: string) => `${VIEW}?path=${encodeURIComponent(path)}`;
const page = { accept: "text/html" };

/** The cookie of a visit by `accountId`. */
async function enter(device: TestDevice, accountId: string): Promise<string> {
  const issued = await device.stub.issueDoorCode(accountId, await hashToken(NONCE), "ses");
  if (issued.kind !== "code") throw new Error(issued.kind);
  const response = await device.ask(`/.well-known/latchkey/enter?code=${issued.code}&to=/`, {
    headers: { cookie: `__Host-door-nonce=${NONCE}` },
  });
  return (response.headers.getSetCookie()[0] ?? "").split(";")[0] ?? "";
}

describe("the viewer's door", () => {
  it("lets a visitor in as for the document itself, and asks the device nothing", async () => {
    const device = await newDevice(ports, "owner");
    const agent = await device.connect();
    const cookie = await enter(device, owner);
    for (const path of [viewOf("/files/a.pdf"), `${VIEW}/${frame}`]) {
      expect([path, (await device.ask(path)).status]).toEqual([path, 401]);
      const response = await device.ask(path, { headers: { cookie } });
      expect([path, response.status]).toEqual([path, 200]);
      expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    }
    expect(agent.count(frameType.open)).toBe(0);
    await device.stub.setAccess("listed");
    await device.stub.allow(guest);
    const visit = await enter(device, guest);
    expect((await device.ask(viewOf("/a.md"), { headers: { cookie: visit } })).status).toBe(200);
    await device.stub.disallow(guest);
    for (const path of [viewOf("/a.md"), `${VIEW}/${frame}`]) {
      expect((await device.ask(path, { headers: { cookie: visit } })).status).toBe(401);
    }
  });

  it("sends whoever must sign in on the way back to the document", async () => {
    const device = await newDevice(ports, "owner");
    const to = viewOf("/files/a b.pdf?x=1");
    const response = await device.ask(to, { headers: page });
    const target = new URL(response.headers.get("location") ?? "");
    expect([response.status, target.searchParams.get("to")]).toEqual([303, to]);
    const issued = await device.stub.issueDoorCode(owner, await hashToken(NONCE), "ses");
    if (issued.kind !== "code") throw new Error(issued.kind);
    const query = new URLSearchParams({ code: issued.code, to });
    const entered = await device.ask(`/.well-known/latchkey/enter?${query}`, {
      headers: { cookie: `__Host-door-nonce=${NONCE}` },
    });
    expect(entered.headers.get("location")).toBe(to);
  });

  it("is nothing where Link is off, and for nobody's label", async () => {
    const device = await newDevice(ports, "everyone");
    expect((await device.ask(viewOf("/a.txt"))).status).toBe(200);
    await device.stub.setFeature("link", false);
    expect((await device.ask(viewOf("/a.txt"))).status).toBe(404);
    expect((await device.ask(`${VIEW}/${frame}`)).status).toBe(404);
  });

  it.each([
    VIEW,
    `${VIEW}?path=`,
    viewOf("//evil.example/a.txt"),
    viewOf("https://evil.example/a.txt"),
    viewOf("\\\\evil.example"),
    viewOf("/.//evil.example"),
    viewOf("javascript:alert(1)"),
    viewOf("/.well-known/latchkey/view?path=/a.txt"),
    viewOf("/.well-known/latchkey/leave"),
    viewOf("/x/../.well-known/latchkey/enter?code=1"),
    `${VIEW}x?path=/a.txt`,
    `${VIEW}/`,
    `${VIEW}/nothing.html`,
    `${VIEW}/../view/nothing.js`,
    `${VIEW}/names.ts`,
    `${VIEW}/${frame}.br`,
  ])("has nothing at %s", async (path) => {
    const device = await newDevice(ports, "everyone");
    expect((await device.ask(path)).status).toBe(404);
  });

  it("takes GET and HEAD", async () => {
    const device = await newDevice(ports, "everyone");
    for (const path of [viewOf("/a.txt"), `${VIEW}/${frame}`]) {
      expect((await device.ask(path, { method: "POST" })).status).toBe(404);
      const head = await device.ask(path, { method: "HEAD" });
      expect([head.status, await head.text()]).toEqual([200, ""]);
    }
  });
});

describe("the page around a document", () => {
  it("says a name as text, whatever is in it", async () => {
    const device = await newDevice(ports, "everyone");
    const name = `"><script>alert(1)</script><img src=x onerror=alert(1)>.pdf`;
    const response = await device.ask(viewOf(`/${encodeURIComponent(name)}`), {
      headers: { ...page, cookie: "__Host-door-seen=yes" },
    });
    const text = await response.text();
    expect(text).not.toContain("<script>alert");
    expect(text).not.toContain("<img");
    expect(text).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
  });

  it("runs one script of ours, loads nothing from elsewhere, and is embedded by nobody", async () => {
    const device = await newDevice(ports, "everyone");
    const response = await device.ask(viewOf("/a.pdf"));
    const policy = policyOf(response);
    const nonce = /'nonce-([\w-]{22})'/.exec(policy["script-src"] ?? "")?.[1] ?? "";
    const files = `http://${device.label}.link.localhost:8787${VIEW}/`;
    expect(policy).toEqual({
      "default-src": "'none'",
      "script-src": `'nonce-${nonce}'`,
      "style-src": `'nonce-${nonce}'`,
      "font-src": files,
      "connect-src": "'self'",
      "media-src": "'self'",
      "frame-src": files,
      "img-src": "data:",
      "base-uri": "'none'",
      "form-action": "'none'",
      "frame-ancestors": "'none'",
      "require-trusted-types-for": "'script'",
      "trusted-types": "'none'",
    });
    expect((await response.text()).match(/<script/g)).toHaveLength(1);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("referrer-policy")).toBe("no-referrer");
    const again = policyOf(await device.ask(viewOf("/a.pdf")));
    expect(again["script-src"]).not.toBe(policy["script-src"]);
  });
});

describe("a frame", () => {
  it.each(Object.entries(framePolicies))(
    "%s has no origin, no network and only its own script",
    async (name, { scripts, workers }) => {
      const device = await newDevice(ports, "everyone");
      const response = await device.ask(`${VIEW}/${name}`);
      expect(policyOf(response)).toEqual({
        sandbox: "allow-scripts",
        "default-src": "'none'",
        "script-src": workers ? `${scripts[0]} 'wasm-unsafe-eval'` : scripts[0],
        "style-src": "'unsafe-inline'",
        "img-src": "blob: data:",
        "font-src": "blob: data:",
        "worker-src": workers ? "blob:" : "'none'",
        "connect-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'",
      });
      expect(response.headers.get("cache-control")).toContain("private");
      const script = /<script>([\s\S]*)<\/script>/.exec(await response.text())?.[1] ?? "";
      const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script));
      const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
      expect(scripts).toEqual([`'sha256-${hash}'`]);
    },
  );

  it("is no page of the console's host", async () => {
    const { handle } = await import("../../workers/app.ts");
    const request = new Request(`${ports.config.origin}/assets/${frame}`);
    expect((await handle(request, ports)).status).toBe(404);
  });
});

function policyOf(response: Response): Record<string, string> {
  const header = response.headers.get("content-security-policy") ?? "";
  return Object.fromEntries(
    header.split("; ").map((directive) => {
      const [name = "", ...values] = directive.split(" ");
      return [name, values.join(" ")];
    }),
  );
}
