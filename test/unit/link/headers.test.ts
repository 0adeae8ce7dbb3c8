/** What of a request and a response passes through Link, and what stops at its ends. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  deviceCookie,
  forwardedElement,
  isClaim,
  openHead,
  placeOf,
  responseHeaders,
  withoutOurCookies,
} from "../../../durable-objects/device/link/heads.ts";
import { limits } from "../../../protocol/limits.ts";
import {
  contentLength,
  decodeOpen,
  decodeResponseHead,
  encodeHead,
  endToEnd,
  fromByteString,
  type HeaderList,
  toByteString,
} from "../../../protocol/link/headers.ts";

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const open = { service: "web", method: "GET", path: "/", headers: [] };

describe("hop-by-hop headers", () => {
  it.each([
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "HTTP2-Settings",
    "Expect",
  ])("%s stops here", (name) => {
    expect(endToEnd([[name, "x"]])).toEqual([]);
  });

  it("drops every header that Connection names, in any case and any order", () => {
    const headers: HeaderList = [
      ["X-Hop", "1"],
      ["Connection", "close, x-HOP ,"],
      ["connection", "X-Other"],
      ["x-other", "2"],
      ["x-stays", "3"],
    ];
    expect(endToEnd(headers)).toEqual([["x-stays", "3"]]);
  });

  it("keeps Host and Content-Length though Connection names them", () => {
    const headers: HeaderList = [
      ["connection", "host, content-length"],
      ["host", "nas"],
      ["content-length", "3"],
    ];
    expect(endToEnd(headers).map(([name]) => name)).toEqual(["host", "content-length"]);
  });

  it("keeps duplicates and their order", () => {
    const headers: HeaderList = [
      ["set-cookie", "a=1"],
      ["x", "1"],
      ["set-cookie", "b=2"],
    ];
    expect(endToEnd(headers)).toEqual(headers);
  });
});

describe("heads", () => {
  const value = fc.string({ maxLength: 30 }).map((raw) => raw.replace(/[^\x20-\x7e]/g, ""));
  const name = fc.constantFrom("accept", "x-1", "set-cookie", "__proto__", "a", "x!#$%");

  it("are read as they were written", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, value), { maxLength: 20 }),
        fc.string({ maxLength: 30 }),
        (headers, path) => {
          const head = {
            service: "web",
            method: "PUT",
            path: `/${path.replace(/[^\x21-\x7e]|#/g, "")}`,
            headers,
          };
          expect(decodeOpen(encodeHead(head) as Uint8Array)).toEqual(head);
          const response = { status: 404, headers };
          expect(decodeResponseHead(encodeHead(response) as Uint8Array)).toEqual(response);
        },
      ),
    );
  });

  it.each<[string, object]>([
    ["a host and port", { path: "http://169.254.169.254/latest" }],
    ["a path without a slash", { path: "evil" }],
    ["an empty path", { path: "" }],
    ["the asterisk form", { path: "*" }],
    ["a path with a space", { path: "/a b" }],
    ["a path with a new line", { path: "/a\r\nHost: evil" }],
    ["a path with a fragment", { path: "/#x" }],
    ["a path that is not ASCII", { path: "/\u00e9" }],
    ["a long path", { path: `/${"a".repeat(limits.linkPathBytes)}` }],
    ["CONNECT", { method: "CONNECT" }],
    ["TRACE", { method: "trace" }],
    ["a method with a space", { method: "GET /" }],
    ["no method", { method: "" }],
    ["a service that is an address", { service: "127.0.0.1:22" }],
    ["no service", { service: undefined }],
    ["headers that are no list", { headers: {} }],
    ["a header with a new line in its value", { headers: [["a", "b\r\nc: d"]] }],
    ["a header with NUL", { headers: [["a", "\0"]] }],
    ["a header beyond a byte", { headers: [["a", "\u0100"]] }],
    ["a header name with a colon", { headers: [["a:b", "c"]] }],
    ["a header name with a new line", { headers: [["a\n", "c"]] }],
    ["a header with three parts", { headers: [["a", "b", "c"]] }],
    ["a header that is a number", { headers: [["a", 1]] }],
    ["too many headers", { headers: Array(limits.linkHeaders + 1).fill(["a", "b"]) }],
  ])("refuse %s in a request", (_name, change) => {
    expect(decodeOpen(text(open))).not.toBeNull();
    expect(decodeOpen(text({ ...open, ...change }))).toBeNull();
  });

  it.each([0, 99, 100, 101, 103, 199, 600, 1000, 200.5, "200", null])(
    "refuse the status %s",
    (status) => {
      expect(decodeResponseHead(text({ status, headers: [] }))).toBeNull();
    },
  );

  it.each(["", "null", "[]", "3", "{", '{"status":200}', "\u00ff"])("refuse %j", (json) => {
    expect(decodeResponseHead(new TextEncoder().encode(json))).toBeNull();
    expect(decodeOpen(new TextEncoder().encode(json))).toBeNull();
  });

  it("refuse bytes that are not UTF-8", () => {
    expect(decodeResponseHead(Uint8Array.of(0x22, 0xff, 0x22))).toBeNull();
  });

  it("are not made when they are too large", () => {
    const huge: HeaderList = [["a", "b".repeat(limits.linkHeadBytes)]];
    expect(encodeHead({ status: 200, headers: huge })).toBeNull();
    const many: HeaderList = Array.from({ length: limits.linkHeaders + 1 }, () => ["a", "b"]);
    expect(encodeHead({ status: 200, headers: many })).toBeNull();
  });

  it("say a body's length only when it is one plain number", () => {
    expect(contentLength([])).toBeNull();
    expect(contentLength([["content-length", "0"]])).toBe(0);
    for (const wrong of ["", "-1", "+1", "1 ", "0x10", "1,1", "1e3", "99999999999999999999"]) {
      expect(contentLength([["content-length", wrong]]), wrong).toBe("bad");
    }
    const twice: HeaderList = [
      ["content-length", "1"],
      ["content-length", "1"],
    ];
    expect(contentLength(twice)).toBe("bad");
  });

  it("carry text as its UTF-8 bytes, and back", () => {
    expect(toByteString("caf\u00e9 \u20ac")).toBe("caf\u00c3\u00a9 \u00e2\u0082\u00ac");
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a", "\u0080", "\u00ff", "\u20ac", "\u{1f511}")),
        (parts) => {
          const text = parts.join("");
          expect(fromByteString(toByteString(text))).toBe(text);
        },
      ),
    );
    expect(fromByteString("caf\u00e9"), "not UTF-8: as it is").toBe("caf\u00e9");
  });
});

describe("a visitor's request", () => {
  it("loses what is ours and what it claims, and says where it came from", () => {
    const head = openHead(
      new Request("http://nas.link.test:8787/a/../b?c=d", {
        headers: {
          host: "evil",
          cookie: "__Host-door=1; theme=dark; __Host-door-nonce=2; __HOST-DOOR=3",
          "x-latchkey-way": "door",
          "x-latchkey-peer": "6.6.6.6",
          "x-latchkey-other": "x",
          "x-forwarded-for": "6.6.6.6",
          "X-Forwarded-Port": "6",
          forwarded: "for=6.6.6.6",
          "x-real-ip": "6.6.6.6",
          "true-client-ip": "6.6.6.6",
          "cf-connecting-ip": "6.6.6.6",
          connection: "x-hop",
          "x-hop": "1",
          accept: "text/html",
        },
      }),
      "2001:db8::7",
    );
    expect(head).toEqual({
      service: "web",
      method: "GET",
      path: "/b?c=d",
      headers: [
        ["host", "nas.link.test:8787"],
        ["forwarded", 'for="[2001:db8::7]";host="nas.link.test:8787";proto=http'],
        ["x-forwarded-host", "nas.link.test:8787"],
        ["x-forwarded-proto", "http"],
        ["x-forwarded-for", "2001:db8::7"],
        ["accept", "text/html"],
        ["cookie", "theme=dark"],
      ],
    });
  });

  it.each([
    "X-Forwarded",
    "X-Forwarded-Proto",
    "X_Forwarded_For",
    "x-forwarded_host",
    "X_Real_IP",
    "X-Original-Forwarded-For",
    "X-Original-Host",
    "X-Cluster-Client-IP",
    "Fastly-Client-IP",
    "X-Originating-IP",
    "X-Remote-IP",
    "X-Remote-Addr",
    "X-Client-IP",
    "Client-IP",
    "True-Client-IP",
    "True_Client_IP",
    "CF-Connecting-IP",
    "CF_Ray",
    "X_Latchkey_Peer",
    "FORWARDED",
  ])("never brings the device what a visitor says of itself in %s", (name) => {
    const head = openHead(new Request("http://nas.link.test/", { headers: { [name]: "6.6.6.6" } }));
    expect(JSON.stringify(head)).not.toContain("6.6.6.6");
  });

  it.each(["x-forward", "x-real-time", "cfg", "client-id", "x_own", "forwarded-by-hand"])(
    "brings it %s, which says nothing of that kind",
    (name) => {
      const head = openHead(new Request("http://nas.link.test/", { headers: { [name]: "v" } }));
      expect((head as { headers: HeaderList }).headers).toContainEqual([name, "v"]);
    },
  );

  it.each<[string | null, string, string]>([
    [null, "nas.example", "for=unknown;host=nas.example;proto=https"],
    ["203.0.113.9", "nas.example", "for=203.0.113.9;host=nas.example;proto=https"],
    ["2001:db8::1", "nas.example:1", 'for="[2001:db8::1]";host="nas.example:1";proto=https'],
  ])("from %s is forwarded as RFC 7239 has it", (peer, host, expected) => {
    expect(forwardedElement(peer, host, "https")).toBe(expected);
  });

  it("has no Cookie header when all of it was ours", () => {
    expect(withoutOurCookies("__Host-door=1;__Host-door-nonce=2")).toBe("");
    expect(withoutOurCookies("a=1; b=__Host-door")).toBe("a=1; b=__Host-door");
    // Two lines of it, as a runtime may put them together.
    expect(withoutOurCookies("a=1; b=2, __host-door=3")).toBe("a=1");
  });

  it("is refused when its target is too long", () => {
    const request = new Request(`http://nas.link.test/${"a".repeat(limits.linkPathBytes)}`);
    expect(openHead(request)).toBe("too-long");
  });

  it.each<[string, string, Record<string, string>, string]>([
    ["TRACE", "TRACE", {}, "method"],
    ["TRACK in small letters", "track", {}, "method"],
    ["CONNECT", "CONNECT", {}, "method"],
    ["a control byte in a value", "GET", { "x-a": "a\u0001b" }, "malformed"],
    ["DEL in a value", "GET", { "x-a": "a\u007fb" }, "malformed"],
    ["two lengths", "POST", { "content-length": "3, 3" }, "malformed"],
    ["a signed length", "POST", { "content-length": "+3" }, "malformed"],
    ["a hexadecimal length", "POST", { "content-length": "0x3" }, "malformed"],
    ["an empty length", "POST", { "content-length": "" }, "malformed"],
  ])("is refused before the device sees it: %s", (_name, method, headers, fault) => {
    // A `Request` cannot be made with these methods; servers make them all the same.
    const request = { url: "http://nas.link.test/", method, headers: new Headers(headers) };
    expect(openHead(request as Request)).toBe(fault);
  });

  it("is one that the agent takes, or is refused at the edge", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 30 }),
        fc.constantFrom("GET", "TRACE", "PROPFIND", "G T", ""),
        fc.webPath(),
        (value, method, path) => {
          const headers = new Headers();
          try {
            headers.set("x-a", value);
          } catch {
            // What `Headers` refuses, no server hands over.
          }
          const url = `http://nas.link.test${path}`;
          const head = openHead({ url, method, headers } as Request);
          if (typeof head === "string") return;
          expect(decodeOpen(encodeHead(head) as Uint8Array)).toEqual(head);
        },
      ),
    );
  });
});

describe("an address of a request", () => {
  const odd = [
    "/",
    "/.",
    "/..",
    "/%2e%2E/",
    "/a/%2E",
    "//",
    "/é",
    "/a b",
    "/a'",
    "/?'",
    "/^|`{}",
    "\\",
  ];
  const host = [
    "nas.link.test",
    "NAS.link.test",
    "nas.link.test.",
    "1.2",
    "0x7f.1",
    "1a.link.test",
  ];
  const port = ["", ":80", ":443", ":080", ":8443", ":65535", ":65536"];

  it("is spelled as the WHATWG spells it, parsed or not", () => {
    let plain = 0;
    const part = fc.oneof(fc.constantFrom(...odd), fc.webPath(), fc.webQueryParameters());
    const paths = fc.tuple(part, part, fc.constantFrom("", "?"), part).map((all) => all.join(""));
    fc.assert(
      fc.property(
        fc.constantFrom("http", "https", "HTTP"),
        fc.constantFrom(...host),
        fc.constantFrom(...port),
        paths,
        (scheme, name, at, path) => {
          const text = `${scheme}://${name}${at}${path.startsWith("/") ? "" : "/"}${path}`;
          if (!URL.canParse(text)) return;
          const url = new URL(text);
          const said = { proto: url.protocol.slice(0, -1), host: url.host };
          expect(placeOf(text)).toEqual({ ...said, path: url.pathname + url.search });
          if (placeOf(text).path === path) plain++;
        },
      ),
      { numRuns: 3000 },
    );
    expect(plain).toBeGreaterThan(100);
  });

  it("says of a name what it said before, also when many others came between", () => {
    const kept = (name: string) => {
      const headers = new Headers({ [name]: "v" });
      const head = openHead({ url: "http://nas.link.test/", method: "GET", headers } as Request);
      return typeof head !== "string" && head.headers.some(([each]) => each === name);
    };
    const names = ["x-a", "x-real-ip", "te", "accept", `x-${"a".repeat(200)}`];
    const first = names.map(kept);
    for (let count = 0; count < limits.linkNamesKept + 5; count++) kept(`x-other-${count}`);
    expect(names.map(kept)).toEqual(first);
    expect(first).toEqual([true, false, false, true, true]);
    expect(isClaim("x-real-ip")).toBe(true);
  });
});

describe("a device's response", () => {
  it.each<[string, string | null]>([
    ["a=1", "a=1"],
    ["a=1; Path=/; HttpOnly", "a=1; Path=/; HttpOnly"],
    ["a=1; Domain=link.test; Path=/", "a=1; Path=/"],
    ["a=1;DOMAIN = .test", "a=1"],
    ["a=1; domain", "a=1"],
    ["a=domain; Secure", "a=domain; Secure"],
    ["__Host-door=evil; Path=/; Secure", null],
    ["__host-DOOR-nonce=evil", null],
    [" __Host-door =evil", null],
    ["=__Host-door=evil", null],
    ["__Host-other=fine; Secure; Path=/", "__Host-other=fine; Secure; Path=/"],
  ])("Set-Cookie: %s", (value, expected) => {
    expect(deviceCookie(value)).toBe(expected);
  });

  it("cannot speak for the edge", () => {
    const list: HeaderList = [
      ["X-Latchkey-Door", "entered"],
      ["x-latchkey-door-token", "stolen"],
      ["Alt-Svc", 'h3="evil:443"'],
      ["Transfer-Encoding", "chunked"],
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2; Domain=link.test"],
      ["X-Own", "kept"],
    ];
    const headers = new Headers(responseHeaders(list));
    expect(headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    headers.delete("set-cookie");
    expect([...headers]).toEqual([["x-own", "kept"]]);
  });

  it("keeps every value of a name that comes twice, and a name that an object would have", () => {
    const list: HeaderList = [
      ["__proto__", "one"],
      ["X-Twice", "1"],
      ["constructor", "two"],
      ["x-twice", "2"],
      ["X-TWICE", "3"],
    ];
    expect([...new Headers(responseHeaders(list))]).toEqual([
      ["__proto__", "one"],
      ["constructor", "two"],
      ["x-twice", "1, 2, 3"],
    ]);
    expect(Object.entries(responseHeaders(list.slice(1, 3)))).toEqual([
      ["x-twice", "1"],
      ["constructor", "two"],
    ]);
  });
});
