/** What pages load: the same bytes however packed, kept for ever, and on the console's host alone. */

import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { type Ask, ask } from "./http.ts";
import type { World } from "./world.ts";

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
  woff2: "font/woff2",
};
const unpack: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  br: brotliDecompressSync,
  gzip: gunzipSync,
  none: (bytes) => bytes,
};

export function assets(world: () => World): void {
  describe("what pages load", () => {
    let paths: string[];

    const fetched = (path: string, options: Ask = {}) => ask(world(), path, options);

    beforeAll(async () => {
      const { text } = await fetched("/sign-in", { headers: { accept: "text/html" } });
      paths = [...new Set(text.match(/\/assets\/[^"]+/g))];
      const style = await fetched(paths.find((path) => path.endsWith(".css")) ?? "");
      const fonts = [...style.text.matchAll(/url\("?\.\/([^")]+)/g)];
      paths = [...new Set([...paths, ...fonts.map(([, name]) => `/assets/${name}`)])];
    });

    it("comes as the client takes it: plain, gzip or br, and the bytes are the same", async () => {
      expect(new Set(paths.map((path) => path.split(".").at(-1)))).toEqual(
        new Set(Object.keys(TYPES)),
      );
      for (const path of paths) {
        const [plain, gzip, br] = await Promise.all(
          ["identity", "gzip", "gzip, br"].map((coding) =>
            fetched(path, { headers: { "accept-encoding": coding } }),
          ),
        );
        const answers = [plain, gzip, br].map((answer) => {
          expect(answer?.status, path).toBe(200);
          expect(answer?.headers, path).toMatchObject({
            "content-type": TYPES[path.split(".").at(-1) ?? ""],
            "cache-control": "public, max-age=31536000, immutable",
            "x-content-type-options": "nosniff",
            "cross-origin-resource-policy": "same-origin",
          });
          const { "content-encoding": coding = "none", etag } = answer?.headers ?? {};
          const bytes = unpack[String(coding)]?.(answer?.body ?? Buffer.alloc(0));
          return { coding, etag, bytes: bytes?.toString("base64"), sent: answer?.body.length ?? 0 };
        });
        const packed = !path.endsWith(".woff2");
        const codings = answers.map(({ coding }) => coding);
        expect(codings, path).toEqual(packed ? ["none", "gzip", "br"] : ["none", "none", "none"]);
        expect(new Set(answers.map(({ etag }) => etag)).size, path).toBe(packed ? 3 : 1);
        expect(new Set(answers.map(({ bytes }) => bytes)).size, path).toBe(1);
        const sizes = answers.map(({ sent }) => sent);
        expect(sizes[0], path).toBeGreaterThan(100);
        if (packed) expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
      }
    });

    it("is not sent to who has it, and HEAD brings the head alone", async () => {
      for (const path of paths) {
        const whole = await fetched(path, { headers: { "accept-encoding": "br" } });
        const etag = String(whole.headers.etag);
        for (const known of [etag, `"other", W/${etag}`]) {
          const headers = { "accept-encoding": "br", "if-none-match": known };
          const again = await fetched(path, { headers });
          expect([again.status, again.body.length], path).toEqual([304, 0]);
          expect(again.headers.etag).toBe(etag);
        }
        const head = await fetched(path, { method: "HEAD", headers: { "accept-encoding": "br" } });
        expect([head.status, head.body.length], path).toEqual([200, 0]);
        const length = head.headers["content-length"] ?? whole.headers["content-length"];
        expect(length, path).toBe(whole.headers["content-length"]);
        for (const name of ["etag", "content-type", "content-encoding", "cache-control", "vary"]) {
          expect(head.headers[name], `${path} ${name}`).toBe(whole.headers[name]);
        }
      }
    });

    it("is nothing under any other name: a page for people, a problem for programs", async () => {
      const [known = ""] = paths;
      const name = known.slice("/assets/".length);
      for (const path of [
        "/assets/none.css",
        "/assets/",
        "/assets/__proto__",
        "/assets/..%2fnames.ts",
        "/assets/%2e%2e%2f%2e%2e%2froutes.tsx",
        `${known}.br`,
        `${known}.gz`,
        `${known}/`,
        `/${name}`,
        `/console/dist/public/${name}`,
      ]) {
        const program = await fetched(path);
        expect([program.status, program.json.code], path).toEqual([404, "not-found"]);
        const person = await fetched(path, { headers: { accept: "text/html" } });
        expect(person.status, path).toBe(404);
        expect(person.headers["content-type"], path).toMatch(/^text\/html/);
      }
      const posted = await fetched(known, { method: "POST", headers: { accept: "*/*" } });
      expect(posted.status).toBe(404);
    });

    it("is on no other host: there the path is the device's, or nobody's", async () => {
      for (const path of paths) {
        for (const host of [world().doorHost("nobody-home"), `${world().linkZone}:${world().port}`])
          expect((await fetched(path, { host })).status, `${host}${path}`).toBe(404);
      }
    });
  });
}
