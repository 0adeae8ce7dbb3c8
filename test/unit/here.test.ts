/** The agent's own listener: answers one question, to whom it may concern, and serves nothing else. */

import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Here, listenHere } from "../../agent/here.ts";
import { readShortcut, Shortcut } from "../../agent/shortcut.ts";
import { checkSpot, herePath, type Spot, verifyHere } from "../../protocol/reach.ts";
import { base64url } from "../../protocol/tokens.ts";

const cloud = "http://localhost:8787";
const nonce = base64url(crypto.getRandomValues(new Uint8Array(32)));
let publicKey: string;
let privateKey: CryptoKey;
let here: Here;
let spots: Spot[];

beforeEach(async () => {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  if (!("privateKey" in pair)) throw new Error("Ed25519 makes pairs");
  privateKey = pair.privateKey;
  publicKey = base64url(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  spots = [];
  const at = { port: 0, host: "127.0.0.1", tls: null };
  here = await listenHere({ ...at, cloud, privateKey, spots: () => spots });
  spots = [{ probe: `http://127.0.0.1:${here.port}`, page: "http://127.0.0.1:8080" }];
});
afterEach(() => here.close());

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Asks with exactly this path and these headers, as `fetch` would not. */
function ask(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Got> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: here.port, path, method, headers };
    const asked = request(options, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text) => (body += text));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    asked.on("error", reject);
    asked.end();
  });
}

it("proves that this box is here, at exactly the place it was asked", async () => {
  const { status, body, headers } = await ask(`${herePath}?nonce=${nonce}`);
  expect(status).toBe(200);
  expect(headers["access-control-allow-origin"]).toBe(cloud);
  expect(headers["cache-control"]).toBe("no-store");
  const { signature } = JSON.parse(body);
  expect(Object.keys(JSON.parse(body))).toEqual(["signature"]);
  expect(await verifyHere(publicKey, nonce, spots[0] as Spot, signature)).toBe(true);
});

it("tells the edge who it is by whatever name it is asked", async () => {
  const { body } = await ask(`${herePath}?nonce=${nonce}&check`, { host: "203.0.114.7" });
  expect(await verifyHere(publicKey, nonce, checkSpot, JSON.parse(body).signature)).toBe(true);
});

describe("it refuses", () => {
  const cases: [string, string, Record<string, string>, string, number][] = [
    [
      "a name that is none of its own",
      `${herePath}?nonce=${nonce}`,
      { host: "evil.example" },
      "GET",
      421,
    ],
    [
      "an address that is none of its own",
      `${herePath}?nonce=${nonce}`,
      { host: "127.0.0.1:1" },
      "GET",
      421,
    ],
    ["any other path", `/?nonce=${nonce}`, {}, "GET", 404],
    ["a path that only looks alike", `${herePath}/../../x?nonce=${nonce}`, {}, "GET", 404],
    ["a whole address in place of a path", `http://evil.example${herePath}`, {}, "GET", 404],
    ["no nonce", herePath, {}, "GET", 400],
    [
      "a nonce of another form",
      `${herePath}?nonce=${encodeURIComponent("a b\nc")}`,
      {},
      "GET",
      400,
    ],
    ["another method", `${herePath}?nonce=${nonce}`, {}, "POST", 405],
  ];
  it.each(cases)("%s", async (_, path, headers, method, status) => {
    const got = await ask(path, headers, method);
    expect(got.status).toBe(status);
    expect(got.body).toBe("");
  });
});

it("lets a browser ask that asks ahead", async () => {
  const { status, headers } = await ask(herePath, { origin: cloud }, "OPTIONS");
  expect(status).toBe(204);
  expect(headers["access-control-allow-private-network"]).toBe("true");
});

describe("the command line", () => {
  const https = "https://latchkey.example";
  it.each([
    [{ home: "5000" }, https, /under plain http/],
    [{ home: "https://nas.example.org" }, https, /must answer under https/],
    [{ home: "http://nas.example.org" }, cloud, /is no place of a page/],
    [{ home: "https://nas.example.org/x" }, cloud, /is no place of a page/],
    [{ direct: "0" }, cloud, /needs a port/],
    [{ home: "1", cert: "x" }, cloud, /belong together/],
    [{ home: "1", cert: "/nowhere", key: "/nowhere" }, cloud, /cannot be read/],
  ])("refuses %j at %s with a sentence", async (flags, at, sentence) => {
    await expect(readShortcut(flags, at)).rejects.toThrow(sentence);
  });

  it("offers nothing where nothing was asked for", async () => {
    expect(await readShortcut({}, https)).toBeNull();
    const proxied = await readShortcut({ home: "https://nas.example.org", proxied: true }, https);
    expect(proxied).not.toBeNull();
  });
});

describe("the switch", () => {
  const clock = {
    now: () => 0,
    sleep: async () => {},
    every: (_ms: number, work: () => void) => {
      look = work;
      return () => {
        look = () => {};
      };
    },
  };
  let look: () => void = () => {};

  it("is followed: it answers while it is on, says so once, and is deaf when it is off", async () => {
    const port = here.port;
    await here.close();
    const said: string[] = [];
    const flags = { home: "8080", direct: "8080", herePort: String(port) };
    const settings = await readShortcut(flags, cloud);
    if (settings === null) throw new Error("no shortcut");
    const box = { cloud, host: "attic.ddns.localhost", privateKey };
    const shortcut = new Shortcut(settings, box, { clock, log: () => {} });
    await shortcut.follow(true, (text) => said.push(text));
    look();
    look();
    expect(said).toHaveLength(1);
    const { reach } = JSON.parse(said[0] as string);
    expect(reach.home[0]).toEqual({
      probe: `http://127.0.0.1:${port}`,
      page: "http://127.0.0.1:8080",
    });
    expect(reach.direct).toEqual({ scheme: "http", probe: port, page: 8080 });
    expect((await ask(`${herePath}?nonce=${nonce}`)).status).toBe(200);
    const byName = await ask(`${herePath}?nonce=${nonce}`, { host: `${box.host}:${port}` });
    expect(byName.status).toBe(200);
    await shortcut.follow(false, (text) => said.push(text));
    await expect(ask(`${herePath}?nonce=${nonce}`)).rejects.toThrow("ECONNREFUSED");
    look();
    expect(said).toHaveLength(1);
    await shortcut.follow(true, (text) => said.push(text));
    expect(said).toHaveLength(2);
    await shortcut.close();
    here = { port, renew: () => {}, close: async () => {} };
  });
});
