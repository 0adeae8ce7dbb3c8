/**
 * Everything HTTP, by name: what RFC 9110 and RFC 9112 let a visitor and a service say to one another,
 * written byte by byte at both ends of a running edge and the real agent.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { deno } from "../contract/deno-process.ts";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { type OpenDoor, openDoor } from "../support/open-door.ts";
import {
  type Behaviour,
  Broken,
  type Head,
  RawHome,
  statusOf,
  valuesOf,
  Wire,
} from "../support/raw-http.ts";

const MIB = 1 << 20;
/** Methods that the local workerd's parser does not know: it says 501 before any code runs. */
const UNKNOWN_TO_WORKERD = new Set(["M-SEARCH", "MKCALENDAR", "patch", "X-OWN"]);

describe.each([workerd, deno])("everything HTTP on $name", (runtime) => {
  let world: World;
  let folder: string;
  let home: RawHome;
  let door: OpenDoor;
  const wires: Wire[] = [];
  let paths = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "latchkey-http-"));
    world = await World.create(runtime);
    home = await RawHome.start();
    door = await openDoor(world, folder, home.origin);
  });
  afterAll(async () => {
    await door?.close();
    home?.close();
    await world?.close();
    await rm(folder, { recursive: true, force: true });
  });
  afterEach(() => {
    for (const wire of wires.splice(0)) wire.close();
  });

  /** A path of its own that does `behaviour`. */
  function at(behaviour: Behaviour): string {
    const path = `/case-${paths++}`;
    home.at(path, behaviour);
    return path;
  }

  async function dial(): Promise<Wire> {
    const wire = await Wire.dial(world.port);
    wires.push(wire);
    return wire;
  }

  /** A request's head, as a visitor writes it. */
  const request = (start: string, ...headers: string[]) =>
    [`${start} HTTP/1.1`, `Host: ${door.host}`, ...headers, "", ""].join("\r\n");

  /** The answer to a request without a body. */
  async function get(path: string, ...headers: string[]) {
    const wire = await dial();
    wire.say(request(`GET ${path}`, ...headers));
    const head = await wire.final();
    return { wire, head, status: statusOf(head), body: await wire.body(head, "GET") };
  }

  /** A service that answers what it is told, and with which request. */
  function answering(...lines: string[]) {
    const got: { head: Head | null; body: Buffer } = { head: null, body: Buffer.alloc(0) };
    const path = at(async (wire, head) => {
      got.head = head;
      got.body = await wire.body(head);
      wire.say(lines.length > 0 ? lines.join("\r\n") : "HTTP/1.1 204 No Content\r\n\r\n");
    });
    return { path, got };
  }

  /** What the service saw of a request, once the visitor has its answer. */
  async function seen(start: (path: string) => string, ...headers: string[]): Promise<Head> {
    const { path, got } = answering();
    const wire = await dial();
    wire.say(request(start(path), ...headers));
    expect(statusOf(await wire.final())).toBe(204);
    if (got.head === null) throw new Error("the service was not asked");
    return got.head;
  }

  describe("informational responses and trailers", () => {
    it("Expect: 100-continue is answered before a byte of the body, which then comes whole", async () => {
      const { path, got } = answering("HTTP/1.1 200 OK", "Content-Length: 2", "", "ok");
      const wire = await dial();
      wire.say(request(`PUT ${path}`, "Content-Length: 9", "Expect: 100-continue"));
      const informed = await wire.head();
      expect(informed?.start).toMatch(/^HTTP\/1.1 100 /);
      wire.say("the body!");
      const head = await wire.final();
      expect([statusOf(head), String(await wire.body(head, "PUT"))]).toEqual([200, "ok"]);
      expect(String(got.body)).toBe("the body!");
      expect(got.head && valuesOf(got.head, "expect")).toEqual([]);
    });

    it.each([
      ["102", "HTTP/1.1 102 Processing\r\n\r\n"],
      ["103", "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"],
      ["three of them", "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n".repeat(3)],
    ])(
      "a service's %s is no answer: the final one comes, and nothing of the first",
      async (_name, informed) => {
        const { path } = answering(
          `${informed}HTTP/1.1 200 OK`,
          "Content-Length: 5",
          "X-Final: 1",
          "",
          "final",
        );
        const { wire, head, body } = await get(path);
        expect([statusOf(head), String(body), valuesOf(head, "x-final")]).toEqual([
          200,
          "final",
          ["1"],
        ]);
        expect(valuesOf(head, "x-early")).toEqual([]);
        expect(wire.came.toString().match(/^HTTP\/1\.1 200/gm)).toHaveLength(1);
      },
    );

    it("a service that says 100 though nobody asked gets a 502: the agent's client has it so", async () => {
      const { path } = answering("HTTP/1.1 100 Continue", "", "HTTP/1.1 204 No Content", "", "");
      expect((await get(path)).status).toBe(502);
    });

    it("a visitor's trailers are dropped, and the body is whole", async () => {
      let trailers: unknown = null;
      const path = at(async (wire, head) => {
        const body = await wire.body(head);
        trailers = wire.trailers;
        wire.say(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`, body);
      });
      const wire = await dial();
      wire.say(
        request(`POST ${path}`, "Transfer-Encoding: chunked", "Trailer: X-Sum"),
        "3\r\none\r\n4;a=b\r\n two\r\n0\r\nX-Sum: 12345\r\nX-Real-IP: 1.2.3.4\r\n\r\n",
      );
      const head = await wire.final();
      expect(String(await wire.body(head, "POST"))).toBe("one two");
      expect(trailers).toEqual([]);
      // The connection is still in order: another request on it is another request.
      wire.say(request(`POST ${path}`, "Content-Length: 2"), "ok");
      const next = await wire.final();
      expect(String(await wire.body(next, "POST"))).toBe("ok");
    });

    it("a service's trailers are dropped, and the body is whole", async () => {
      const { path } = answering(
        "HTTP/1.1 200 OK",
        "Transfer-Encoding: chunked",
        "Trailer: X-Sum",
        "",
        "3\r\none\r\n4\r\n two\r\n0\r\nX-Sum: 12345\r\nSet-Cookie: late=1\r\n\r\n",
      );
      const { wire, body, head } = await get(path);
      expect([String(body), wire.trailers, valuesOf(head, "trailer")]).toEqual(["one two", [], []]);
      expect(wire.came.toString()).not.toContain("12345");
    });
  });

  describe("methods and targets", () => {
    it.each([
      ...["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PROPPATCH", "MKCOL"],
      ...["COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "M-SEARCH", "NOTIFY", "SUBSCRIBE"],
      ...["ACL", "PURGE", "MKCALENDAR", "patch", "X-OWN"],
    ])("%s", async (method) => {
      const { path, got } = answering();
      const wire = await dial();
      wire.say(request(`${method} ${path}`, "Content-Length: 0"));
      const status = statusOf(await wire.final());
      if (runtime === workerd && UNKNOWN_TO_WORKERD.has(method)) {
        expect([status, got.head]).toEqual([501, null]);
      } else expect([status, got.head?.start]).toEqual([204, `${method} ${path} HTTP/1.1`]);
    });

    it("an absolute form comes as origin form", async () => {
      const { start } = await seen((path) => `GET http://${door.host}${path}?a=b&c`);
      expect(start).toMatch(/^GET \/case-\d+\?a=b&c HTTP\/1\.1$/);
    });

    it("a target of 16 KiB passes, one byte more is refused", async () => {
      const { start } = await seen(
        (path) => `GET ${path}?${"q".repeat(limits.linkPathBytes - path.length - 1)}`,
      );
      expect(start.length).toBe("GET  HTTP/1.1".length + limits.linkPathBytes);
      const wire = await dial();
      wire.say(request(`GET /${"p".repeat(limits.linkPathBytes)}`));
      expect(statusOf(await wire.final())).toBe(414);
    });

    it("a target with a fragment is refused: cut off, it would be another target", async () => {
      let asked = false;
      const path = at((wire) => {
        asked = true;
        wire.say("HTTP/1.1 204 No Content\r\n\r\n");
      });
      const wire = await dial();
      wire.say(request(`DELETE ${path}#part`));
      // workerd's parser cuts it off before any code of ours runs.
      const cutOff = runtime === workerd;
      expect([statusOf(await wire.final()), asked]).toEqual(cutOff ? [204, true] : [400, false]);
    });

    it("a visitor who speaks HTTP/1.0 gets a body without chunks", async () => {
      const { path } = answering(
        "HTTP/1.1 200 OK",
        "Transfer-Encoding: chunked",
        "",
        "3\r\none\r\n4\r\n two\r\n0\r\n\r\n",
      );
      const wire = await dial();
      wire.say(`GET ${path} HTTP/1.0\r\nHost: ${door.host}\r\n\r\n`);
      const head = await wire.final();
      expect(valuesOf(head, "transfer-encoding")).toEqual([]);
      expect(String(await wire.body(head, "GET"))).toBe("one two");
    });

    it("requests that come at once on one connection are answered in order", async () => {
      const path = at((wire, head) => {
        const word = head.start.split("?")[1]?.slice(0, 3) ?? "";
        wire.say(`HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n${word}`);
      });
      const wire = await dial();
      const words = ["one", "two", "six"];
      wire.say(words.map((word) => request(`GET ${path}?${word}`)).join(""));
      for (const word of words) {
        const head = await wire.final();
        expect(String(await wire.body(head, "GET"))).toBe(word);
      }
    });
  });

  describe("headers of a request", () => {
    const VALUES: readonly (readonly [string, readonly string[], string])[] = [
      ["Accept twice", ["Accept: image/png", "Accept: text/*;q=0.5"], "image/png, text/*;q=0.5"],
      ["Via of two proxies", ["Via: 1.1 one", "Via: 1.0 two (words)"], "1.1 one, 1.0 two (words)"],
      ["If-None-Match twice", ['If-None-Match: "a"', 'If-None-Match: W/"b"'], '"a", W/"b"'],
      ["Cookie", ["Cookie: a=1; b=2"], "a=1; b=2"],
      [
        "Authorization",
        ['Authorization: Digest username="x", nonce="y"'],
        'Digest username="x", nonce="y"',
      ],
      ["Range", ["Range: bytes=0-1,-5"], "bytes=0-1,-5"],
      ["If-Range", ['If-Range: "an entity"'], '"an entity"'],
      ["Depth", ["Depth: infinity"], "infinity"],
      ["Destination", ["Destination: http://elsewhere.example/x"], "http://elsewhere.example/x"],
      ["X-Blank", ["X-Blank:"], ""],
      // workerd takes an empty one away before any code of ours runs.
      ...(runtime === workerd ? [] : [["Accept-Encoding", ["Accept-Encoding:"], ""] as const]),
      ["X-Spaces", ["X-Spaces: \t a  b \t "], "a  b"],
    ];
    it.each(VALUES)("%s comes as it was said", async (name, lines, expected) => {
      const key = (name.split(" ")[0] as string).toLowerCase();
      const head = await seen((path) => `GET ${path}`, ...lines);
      expect(valuesOf(head, key).join(", ")).toBe(expected);
      expect(valuesOf(head, key).length).toBeGreaterThan(0);
    });

    it("two Cookie lines hide none of ours", async () => {
      const lines = ["Cookie: a=1", "Cookie: __Host-door=lk_dor_home_x; b=2"];
      const head = await seen((path) => `GET ${path}`, ...lines);
      expect(valuesOf(head, "cookie").join("; ")).toMatch(/b=2$/);
      expect(JSON.stringify(head)).not.toContain("lk_dor");
    });

    it("what is for the hop stays there: what Connection names, Keep-Alive, TE, Upgrade, Proxy-*", async () => {
      const head = await seen(
        (path) => `GET ${path}`,
        "Connection: X-Hop",
        "X-Hop: 1",
        "TE: trailers, deflate;q=0.5",
        "Keep-Alive: timeout=5",
        "Proxy-Authorization: Basic c2VjcmV0",
        "Proxy-Connection: keep-alive",
        "Trailer: X-Sum",
        "X-End: 1",
      );
      const names = head.headers.map(([name]) => name);
      for (const name of [
        "x-hop",
        "te",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "trailer",
      ]) {
        expect(names).not.toContain(name);
      }
      expect(valuesOf(head, "x-end")).toEqual(["1"]);
      // The agent's own connection may say that it is kept, and names nothing else.
      expect(valuesOf(head, "connection").join()).toMatch(/^(keep-alive)?$/);
    });

    it("a length that was known stays known, and no body stays none", async () => {
      const known = await seen((path) => `POST ${path}`, "Content-Length: 0");
      expect(valuesOf(known, "content-length")).toEqual(["0"]);
      const none = await seen((path) => `GET ${path}`);
      for (const name of ["content-length", "transfer-encoding"]) {
        expect(valuesOf(none, name)).toEqual([]);
        expect(valuesOf(known, "transfer-encoding")).toEqual([]);
      }
      const { path, got } = answering();
      const wire = await dial();
      wire.say(request(`PUT ${path}`, "Content-Length: 300000"), Buffer.alloc(300_000, "x"));
      expect(statusOf(await wire.final())).toBe(204);
      expect(got.head && valuesOf(got.head, "content-length")).toEqual(["300000"]);
      expect(got.body.length).toBe(300_000);
    });
  });

  describe("headers of a response", () => {
    const line = (...headers: string[]) =>
      answering("HTTP/1.1 200 OK", ...headers, "Content-Length: 0", "", "").path;

    it.each<[string, string[], string, string[]]>([
      [
        "Set-Cookie three times",
        [
          "Set-Cookie: a=1; Path=/",
          "Set-Cookie: b=2, with a comma; Expires=Wed, 09 Jun 2032 10:18:14 GMT",
          "Set-Cookie: c=",
        ],
        "set-cookie",
        ["a=1; Path=/", "b=2, with a comma; Expires=Wed, 09 Jun 2032 10:18:14 GMT", "c="],
      ],
      ["Via twice", ["Via: 1.1 one", "Via: 1.0 two"], "via", ["1.1 one, 1.0 two"]],
      ["Vary twice", ["Vary: Accept", "Vary: Cookie"], "vary", ["Accept, Cookie"]],
      [
        "WWW-Authenticate twice",
        ['WWW-Authenticate: Basic realm="a, b"', 'WWW-Authenticate: Digest nonce="n"'],
        "www-authenticate",
        ['Basic realm="a, b", Digest nonce="n"'],
      ],
      [
        "Link twice",
        ["Link: </a>; rel=next", "Link: </b>; rel=prev"],
        "link",
        ["</a>; rel=next, </b>; rel=prev"],
      ],
      ["an empty value", ["X-Blank:"], "x-blank", [""]],
      [
        "DAV",
        ["DAV: 1,2", "DAV: <http://apache.org/dav/propset/fs/1>"],
        "dav",
        ["1,2, <http://apache.org/dav/propset/fs/1>"],
      ],
      ["ETag, weak", ['ETag: W/"a b"'], "etag", ['W/"a b"']],
      [
        "Content-Disposition",
        ["Content-Disposition: attachment; filename*=UTF-8''caf%C3%A9"],
        "content-disposition",
        ["attachment; filename*=UTF-8''caf%C3%A9"],
      ],
      ["Accept-Ranges", ["Accept-Ranges: bytes"], "accept-ranges", ["bytes"]],
    ])("%s", async (_name, headers, key, expected) => {
      const { head } = await get(line(...headers));
      const values = valuesOf(head, key);
      expect(key === "set-cookie" ? values : [values.join(", ")]).toEqual(expected);
      expect(values.length).toBeGreaterThan(0);
    });

    it("what is for the hop stays there", async () => {
      const path = line(
        "Connection: X-Hop, keep-alive",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Authenticate: Basic",
        "Upgrade: h2c",
        'Alt-Svc: h3=":443"',
        "X-End: 1",
      );
      const { head } = await get(path);
      const names = head.headers.map(([name]) => name);
      for (const name of ["x-hop", "proxy-authenticate", "upgrade", "alt-svc"]) {
        expect(names).not.toContain(name);
      }
      expect(valuesOf(head, "keep-alive")).not.toContain("timeout=5");
      expect(valuesOf(head, "connection").join()).not.toMatch(/hop/i);
      expect(valuesOf(head, "x-end")).toEqual(["1"]);
    });

    it("a reason phrase of its own, or none, does no harm", async () => {
      for (const start of ["HTTP/1.1 299 Rather Fine", "HTTP/1.1 299 ", "HTTP/1.0 299 OK"]) {
        const { path } = answering(start, "Content-Length: 2", "Connection: close", "", "ok");
        const { status, body } = await get(path);
        expect([status, String(body)]).toEqual([299, "ok"]);
      }
    });
  });

  describe("bodies of a response", () => {
    const bodyless: readonly [number, string[]][] = [
      [204, []],
      [204, ["X-A: 1"]],
      [304, ['ETag: "v"']],
      [304, ["Content-Length: 1234"]],
      // Deno drops the length of a 205, and says no other.
      ...(runtime === deno ? [] : [[205, ["Content-Length: 0"]] as [number, string[]]]),
    ];
    it.each(bodyless)("%i has none (%j), and the connection goes on", async (status, headers) => {
      const { path } = answering(`HTTP/1.1 ${status} Word`, ...headers, "", "");
      const wire = await dial();
      for (let round = 0; round < 2; round++) {
        wire.say(request(`GET ${path}`));
        const head = await wire.final();
        expect([statusOf(head), (await wire.body(head, "GET")).length]).toEqual([status, 0]);
      }
    });

    it.each([
      ["a length", ["Content-Length: 12345"], "12345"],
      ["no length", ["Transfer-Encoding: chunked"], undefined],
    ])("HEAD with %s has no body, and the connection goes on", async (_name, headers, length) => {
      const { path } = answering("HTTP/1.1 200 OK", ...headers, "", "");
      const wire = await dial();
      for (let round = 0; round < 2; round++) {
        wire.say(request(`HEAD ${path}`));
        const head = await wire.final();
        expect([statusOf(head), valuesOf(head, "content-length")[0]]).toEqual([200, length]);
      }
    });

    it("a body without a length comes as it is said, piece by piece", async () => {
      let next = Promise.withResolvers<void>();
      const path = at(async (wire) => {
        wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (const word of ["one", "two", "six"]) {
          wire.say(`3\r\n${word}\r\n`);
          await next.promise;
          next = Promise.withResolvers();
        }
        wire.say("0\r\n\r\n");
      });
      const wire = await dial();
      wire.say(request(`GET ${path}`));
      const head = await wire.final();
      const words: string[] = [];
      for await (const piece of wire.pieces(head, "GET")) {
        words.push(String(piece));
        next.resolve(); // the service says nothing more before this piece has come
      }
      expect(words).toEqual(["one", "two", "six"]);
    });

    it("a service of HTTP/1.0, whose body ends with its connection", async () => {
      const path = at((wire) => {
        wire.say("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nall that there is");
        wire.socket.end();
      });
      const { body } = await get(path);
      expect(String(body)).toBe("all that there is");
    });

    it("events come one by one, each as it happens", async () => {
      const heard = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const path = at(async (wire) => {
        wire.say(
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n",
        );
        for (const [number, one] of heard.entries()) {
          wire.say(`id: ${number}\ndata: event ${number}\n\n`);
          await one.promise;
        }
        wire.socket.end();
      });
      const wire = await dial();
      wire.say(request(`GET ${path}`, "Accept: text/event-stream", "Accept-Encoding: gzip, br"));
      const head = await wire.final();
      expect(valuesOf(head, "content-type")).toEqual(["text/event-stream"]);
      expect(valuesOf(head, "content-encoding")).toEqual([]);
      let came = "";
      let events = 0;
      for await (const piece of wire.pieces(head, "GET")) {
        came += piece;
        while (came.split("\n\n").length - 1 > events) heard[events++]?.resolve();
      }
      expect(came).toBe("id: 0\ndata: event 0\n\nid: 1\ndata: event 1\n\n");
    });

    it("parts of several ranges come as they are", async () => {
      const parts = [
        "--gulch\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/9\r\n\r\nab",
        "--gulch\r\nContent-Type: text/plain\r\nContent-Range: bytes 7-8/9\r\n\r\nhi",
        "--gulch--\r\n",
      ].join("\r\n");
      const { path, got } = answering(
        "HTTP/1.1 206 Partial Content",
        "Content-Type: multipart/byteranges; boundary=gulch",
        `Content-Length: ${parts.length}`,
        "",
        parts,
      );
      const { head, status, body } = await get(path, "Range: bytes=0-1,7-8", 'If-Range: "v1"');
      expect([status, String(body)]).toEqual([206, parts]);
      expect(valuesOf(head, "content-type")).toEqual(["multipart/byteranges; boundary=gulch"]);
      expect(valuesOf(head, "content-length")).toEqual([String(parts.length)]);
      expect(got.head && valuesOf(got.head, "if-range")).toEqual(['"v1"']);
    });

    it("416 says how much there is", async () => {
      const { path } = answering(
        "HTTP/1.1 416 Range Not Satisfiable",
        "Content-Range: bytes */9",
        "Content-Length: 0",
        "",
        "",
      );
      const { head, status } = await get(path, "Range: bytes=10-");
      expect([status, valuesOf(head, "content-range")]).toEqual([416, ["bytes */9"]]);
    });
  });

  describe("who leaves, who answers early, who dies", () => {
    /** Sizes that go in frames, and that go another way where there is one. */
    const SIZES: readonly (readonly [string, number])[] = [
      ["128 KiB", 128 * 1024],
      ["8 MiB", 8 * MIB],
    ];
    const pattern = Buffer.alloc(8 * MIB, "0123456789abcdef");
    /** How a body says where it ends, and how its bytes are said then. */
    const FRAMINGS = [
      ["a length", "Content-Length: 100000000", (bytes: Buffer) => [bytes]],
      [
        "chunks",
        "Transfer-Encoding: chunked",
        (bytes: Buffer) => [`${bytes.length.toString(16)}\r\n`, bytes, "\r\n"],
      ],
    ] as const;
    /** Of `size` bytes of a longer upload, the last may wait for more to fill a frame. */
    const certain = (size: number) => size - limits.linkFrameBytes;

    it.each(SIZES)(
      "a service that answers after %s of an upload is heard at once",
      async (_name, size) => {
        const path = at(async (wire, head) => {
          let came = 0;
          for await (const piece of wire.pieces(head)) {
            came += piece.length;
            if (came >= certain(size)) break;
          }
          wire.say(
            "HTTP/1.1 413 Too Much\r\nConnection: close\r\nContent-Length: 8\r\n\r\nno more!",
          );
          await wire.ended();
        });
        const wire = await dial();
        wire.say(request(`PUT ${path}`, "Content-Length: 100000000"), pattern.subarray(0, size));
        const head = await wire.final();
        expect([statusOf(head), String(await wire.body(head, "PUT"))]).toEqual([413, "no more!"]);
      },
    );

    it.each(SIZES)(
      "a visitor who leaves after %s of a download is noticed by the service",
      async (_name, size) => {
        const left = Promise.withResolvers<void>();
        const path = at(async (wire) => {
          wire.say(
            "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n",
            pattern.subarray(0, size),
          );
          await wire.ended();
          left.resolve();
        });
        const wire = await dial();
        wire.say(request(`GET ${path}`));
        const head = await wire.final();
        let came = 0;
        for await (const piece of wire.pieces(head, "GET")) {
          came += piece.length;
          if (came >= size) break;
        }
        wire.socket.resetAndDestroy();
        await left.promise;
      },
    );

    it("a visitor who hangs up while nothing is said is noticed at once, on workerd with the next word", async () => {
      const left = Promise.withResolvers<void>();
      const service = Promise.withResolvers<Wire>();
      const path = at(async (wire) => {
        wire.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n");
        service.resolve(wire);
        await wire.ended();
        left.resolve();
      });
      const wire = await dial();
      wire.say(request(`GET ${path}`));
      const head = await wire.final();
      for await (const piece of wire.pieces(head, "GET")) if (piece.length > 0) break;
      wire.socket.destroy(); // its end, and no reset: it could be one who only says no more
      const saying = await service.promise;
      if (runtime === workerd) {
        let hasLeft = false;
        void left.promise.then(() => {
          hasLeft = true;
        });
        await expect
          .poll(() => {
            if (!hasLeft) saying.say("data: next\n\n");
            return hasLeft;
          })
          .toBe(true);
      }
      await left.promise;
    });

    it.each(FRAMINGS)(
      "a visitor who leaves in an upload with %s leaves a broken one, never a short one",
      async (_name, header, framed) => {
        for (const [, size] of SIZES) {
          const end = Promise.withResolvers<string>();
          const begun = Promise.withResolvers<void>();
          const path = at(async (wire, head) => {
            let came = 0;
            try {
              for await (const piece of wire.pieces(head)) {
                came += piece.length;
                if (came >= certain(size)) begun.resolve();
              }
              end.resolve("complete");
            } catch (error) {
              end.resolve(error instanceof Broken ? "broken" : String(error));
            }
          });
          const wire = await dial();
          wire.say(request(`PUT ${path}`, header), ...framed(pattern.subarray(0, size)));
          await begun.promise;
          wire.close();
          expect(await end.promise).toBe("broken");
        }
      },
    );

    it.each(FRAMINGS)(
      "a service that dies in a body with %s leaves a broken one, never a short one",
      async (_name, header, framed) => {
        for (const [, size] of SIZES) {
          const die = Promise.withResolvers<void>();
          const path = at(async (wire) => {
            wire.say(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n`, ...framed(pattern.subarray(0, size)));
            await die.promise;
            wire.socket.resetAndDestroy();
          });
          const wire = await dial();
          wire.say(request(`GET ${path}`));
          const head = await wire.final();
          let came = 0;
          const reading = (async () => {
            for await (const piece of wire.pieces(head, "GET")) {
              came += piece.length;
              if (came >= size) die.resolve();
            }
          })();
          await expect(reading).rejects.toThrow(Broken);
          expect(came).toBe(size);
        }
      },
    );

    it("a service that dies before its head, or says what is no HTTP, is a 502", async () => {
      for (const act of [
        (wire: Wire) => wire.socket.resetAndDestroy(),
        (wire: Wire) => wire.socket.end(),
        (wire: Wire) => wire.say("SSH-2.0-OpenSSH_9.2\r\n"),
        (wire: Wire) =>
          wire.say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
      ]) {
        const path = at(async (wire, head) => {
          await wire.body(head);
          act(wire);
        });
        const wire = await dial();
        wire.say(request(`POST ${path}`, "Content-Length: 2"), "ok");
        expect(statusOf(await wire.final())).toBe(502);
      }
    });
  });
});
