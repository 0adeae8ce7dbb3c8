/** The console's pages inside workerd: their headers, their words, and what they do with bad input. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { wantsPage } from "../../console/routes.tsx";
import { classes } from "../../db/data-map/classes.ts";
import { cookieMap } from "../../db/data-map/outside.ts";
import { limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import { service } from "../../workers/http.ts";
import { signUp } from "../../workers/sign-in/sign-up.ts";
import { verifySignUp } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";

const origin = "http://localhost:8787";
const password = "an unlikely password";
const client = { userAgent: null, peer: "198.51.100.7" };
const publicPaths = [
  "/",
  "/sign-up",
  "/sign-up/sent",
  "/verify?token=x",
  "/sign-in",
  "/privacy",
  "/problems",
];
const ownPaths = [
  "/devices",
  "/devices/add",
  "/sessions",
  "/account",
  "/account/data",
  "/account/erase",
  "/account/profile",
  "/account/activity",
  "/people",
];
let test: TestPorts;
let count = 0;

beforeEach(() => {
  test = testPorts({ env });
});

interface Asked {
  readonly method?: string;
  readonly form?: Readonly<Record<string, string>>;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks as a browser that is on our own page. */
async function browse(path: string, asked: Asked = {}): Promise<Response> {
  const headers = new Headers({
    accept: "text/html,application/xhtml+xml",
    "sec-fetch-site": "same-origin",
    ...asked.headers,
  });
  if (asked.token !== undefined) headers.set("cookie", `__Host-sid=${asked.token}`);
  const init: RequestInit = { method: asked.method ?? (asked.form ? "POST" : "GET"), headers };
  if (asked.form !== undefined) {
    headers.set("content-type", "application/x-www-form-urlencoded");
    init.body = new URLSearchParams(asked.form).toString();
  }
  return await handle(new Request(origin + path, init), test.ports);
}

async function signedIn(): Promise<string> {
  const address = `grace${count++}@example.org`;
  await signUp(test.ports, { address, password }, client);
  const link = /http\S+/.exec(test.mail.sent.at(-1)?.text ?? "")?.[0] ?? "";
  const token = new URL(link).searchParams.get("token") ?? "";
  return (await verifySignUp(test.ports, { token, password }, client)).token;
}

describe("every page", () => {
  it("carries the security headers and a nonce of its own", async () => {
    const token = await signedIn();
    const nonces = new Set<string>();
    for (const path of [...publicPaths, ...ownPaths, "/nothing/here"]) {
      const response = await browse(path, ownPaths.includes(path) ? { token } : {});
      const policy = response.headers.get("content-security-policy") ?? "";
      const nonce = /script-src 'nonce-([A-Za-z0-9_-]{22})'/.exec(policy)?.[1] ?? "";
      expect(nonce, path).not.toBe("");
      expect(await response.text(), path).toContain(`nonce="${nonce}"`);
      nonces.add(nonce);
      for (const rule of [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
      ]) {
        expect(policy, path).toContain(rule);
      }
      expect(policy, path).not.toMatch(/unsafe|\*|https:/);
      expect(response.headers.get("referrer-policy"), path).toBe("no-referrer");
      expect(response.headers.get("x-content-type-options"), path).toBe("nosniff");
      expect(response.headers.get("cross-origin-opener-policy"), path).toBe("same-origin");
      expect(response.headers.get("cache-control"), path).toBe("no-store");
    }
    expect(nonces.size).toBe(publicPaths.length + ownPaths.length + 1);
  });

  it("[CKY-6] is readable without any cookie when it is public, and says what sign-in sets", async () => {
    for (const path of publicPaths) {
      const response = await browse(path);
      expect(response.status, path).toBe(200);
      expect(response.headers.get("set-cookie"), path).toBeNull();
    }
    expect(await (await browse("/sign-in")).text()).toContain("sets one cookie");
  });

  it("sends strangers to sign in and remembers where they wanted to go", async () => {
    for (const path of [...ownPaths, "/devices/add?code=BCDF-GHJK"]) {
      const response = await browse(path);
      expect(response.status, path).toBe(303);
      expect(response.headers.get("location"), path).toBe(
        `/sign-in?return=${encodeURIComponent(path)}`,
      );
    }
  });

  it("answers programs with problems and people with pages", async () => {
    const page = await browse("/nothing/here");
    expect(page.status).toBe(404);
    expect(await page.text()).toContain("There is nothing here");
    const program = await browse("/nothing/here", { headers: { accept: "application/json" } });
    expect(program.headers.get("content-type")).toBe("application/problem+json");
    const api = await browse("/api/account");
    expect(api.headers.get("content-type")).toBe("application/problem+json");
    expect(api.status).toBe(401);
  });

  it("tells nothing of an unforeseen failure", async () => {
    const broken: TestPorts["ports"] = {
      ...test.ports,
      regions: {
        ...test.ports.regions,
        db: () => {
          throw new TypeError("the secret inside");
        },
      },
    };
    const request = new Request(`${origin}/devices`, {
      headers: { accept: "text/html", cookie: `__Host-sid=${await signedIn()}` },
    });
    const response = await handle(request, broken);
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).toContain("our fault");
    expect(text).not.toContain("secret inside");
    expect(test.lines).toContainEqual({ event: "internal-error", code: "TypeError" });
  });
});

describe("forms", () => {
  it("show what was typed as text and never as markup", async () => {
    const address = `"><script>alert(1)</script>`;
    const response = await browse("/sign-up", { form: { address, password: "x" } });
    expect(response.status).toBe(422);
    const text = await response.text();
    expect(text).not.toContain("<script>alert");
    expect(text).toContain("&quot;&gt;&lt;script&gt;");
    expect(test.mail.sent).toEqual([]);
  });

  it("never send a password back", async () => {
    for (const path of ["/sign-up", "/sign-in"]) {
      const response = await browse(path, { form: { address: "no", password: "my secret words" } });
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(await response.text()).not.toContain("my secret words");
    }
  });

  it("are refused with a page when another site sent them, and change nothing", async () => {
    const form = { address: "a@example.org", password };
    const headers = { "sec-fetch-site": "cross-site" };
    const response = await browse("/sign-up", { form, headers });
    expect(response.status).toBe(403);
    expect(await response.text()).toContain("Nothing was changed");
    expect(test.mail.sent).toEqual([]);
  });

  it("are refused when they are too large or no form at all", async () => {
    const large = { address: "a@example.org", password: "x".repeat(limits.requestBodyBytes) };
    expect((await browse("/sign-up", { form: large })).status).toBe(413);
    for (const type of ["text/plain", "multipart/form-data; boundary=x", "application/json"]) {
      const headers = { "content-type": type };
      const response = await browse("/sign-up", { method: "POST", headers });
      expect(response.status, type).toBe(400);
    }
  });

  it("ask for the chosen password before an account opens, and say when it is another", async () => {
    const address = `chosen${count++}@example.org`;
    await signUp(test.ports, { address, password }, client);
    const token = /token=(\S+)/.exec(test.mail.sent.at(-1)?.text ?? "")?.[1] ?? "";
    const refused = await browse("/verify", { form: { token, password: "another password" } });
    const text = await refused.text();
    expect(refused.status).toBe(422);
    expect(text).toContain("This is not the password");
    expect(text).toContain('id="password-error"');
    expect(text).toContain(`value="${token}"`);
    const opened = await browse("/verify", { form: { token, password } });
    expect([opened.status, opened.headers.get("location")]).toEqual([303, "/devices"]);
    const again = await browse("/verify", { form: { token, password } });
    expect([again.status, (await again.text()).includes("used or is too old")]).toEqual([
      410,
      true,
    ]);
  });

  it("answer success with a redirect, so that a reload sends nothing twice", async () => {
    const form = { address: `prg${count++}@example.org`, password };
    const sent = await browse("/sign-up", { form });
    expect([sent.status, sent.headers.get("location")]).toEqual([303, "/sign-up/sent"]);
    const token = await signedIn();
    for (const path of ["/sign-out", "/sessions/end-others"]) {
      expect((await browse(path, { form: {}, token })).status, path).toBe(303);
    }
  });

  it("lead back to their page when their address is opened", async () => {
    const token = await signedIn();
    for (const [path, page] of [
      ["/sessions/end", "/sessions"],
      ["/devices/dev_home_0000000000000000/access", "/devices/dev_home_0000000000000000"],
      ["/devices/x/name/tokens", "/devices/x/name"],
      ["/devices/%2F%2Fevil/people", "/devices/%2F%2Fevil"],
    ] as const) {
      const response = await browse(path, { token });
      expect([response.status, response.headers.get("location")], path).toEqual([303, page]);
    }
  });

  it("let a form end at a door only when that door sent its visitor", async () => {
    const to = (target: string) => `/sign-in?return=${encodeURIComponent(target)}`;
    const policy = async (path: string) =>
      (await browse(path)).headers.get("content-security-policy") ?? "";
    expect(await policy(to("/door?label=attic&nonce=x&to=/"))).toContain(
      "form-action 'self' http://attic.link.localhost:8787;",
    );
    for (const target of ["/devices", "/door?label=-bad-", "/door?label=a;%20script-src%20*"]) {
      expect(await policy(to(target)), target).toContain("form-action 'self';");
    }
  });

  it("offer regions only where there is a choice", async () => {
    expect(await (await browse("/sign-up")).text()).not.toContain("Where your data lives");
    const variables = { REGIONS: "home:At_home:DB_HOME,eu:Europe:DB_HOME:eu" };
    test = testPorts({ env, variables });
    const text = await (await browse("/sign-up")).text();
    expect(text).toContain("Where your data lives");
    expect(text).toContain("Europe");
    const form = { address: "region@example.org", password, region: "mars" };
    const refused = await browse("/sign-up", { form });
    expect(refused.status).toBe(422);
    expect(await refused.text()).toContain("This region is not offered.");
  });
});

describe("assets", () => {
  it("are kept for ever under names of their content, and nothing else is served", async () => {
    const page = await (await browse("/")).text();
    const paths = [...new Set(page.match(/\/assets\/[^"]+/g))];
    expect(paths.length).toBeGreaterThanOrEqual(4);
    for (const path of paths) {
      const response = await browse(path);
      expect(response.status, path).toBe(200);
      expect(response.headers.get("cache-control"), path).toContain("immutable");
      expect(response.headers.get("set-cookie"), path).toBe(null);
      expect((await response.arrayBuffer()).byteLength, path).toBeGreaterThan(100);
    }
    for (const path of ["/assets/none.js", "/assets/__proto__", "/assets/..%2findex.ts"]) {
      expect((await browse(path)).status, path).toBe(404);
    }
  });
});

describe("the privacy page", () => {
  it("[PRI-3] lists every class of the data map, and every cookie", async () => {
    const text = await (await browse("/privacy")).text();
    for (const entry of Object.values(classes)) {
      const title = entry.title.replaceAll("'", "&#39;");
      expect(text, entry.title).toContain(`<h3>${title}</h3>`);
    }
    for (const name of Object.keys(cookieMap)) expect(text).toContain(name);
  });
});

describe("what a page is", () => {
  it("depends on the Accept header, and the API is none", async () => {
    const cases: [string, string, boolean][] = [
      ["/devices", "text/html,*/*;q=0.8", true],
      ["/devices", "application/json", false],
      ["/devices", "*/*", false],
      ["/api/devices", "text/html", false],
    ];
    for (const [path, accept, expected] of cases) {
      let verdict: boolean | null = null;
      const probe = service();
      probe.all("*", (c) => {
        verdict = wantsPage(c);
        return c.text("");
      });
      await probe.request(path, { headers: { accept } });
      expect(verdict, `${path} ${accept}`).toBe(expected);
    }
  });
});
