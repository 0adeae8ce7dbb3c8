/** The demo NAS: files come and go whole, and nothing outside its folder is reachable. */

import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Nas, startNas } from "../../demo/nas.ts";

let folder: string;
let nas: Nas;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nas-"));
  nas = await startNas({ folder });
});
afterEach(async () => {
  await nas.close();
  await rm(folder, { recursive: true });
});

/** Sends a path exactly as given: `fetch` would tidy it up. */
function raw(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(nas.origin);
    request({ host: "127.0.0.1", port, path }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}

describe("the demo NAS", () => {
  it("starts with a picture and a text to look at", async () => {
    const page = await (await fetch(nas.origin)).text();
    expect(page).toContain("welcome.txt");
    expect((await fetch(`${nas.origin}/files/door.svg`)).headers.get("content-type")).toBe(
      "image/svg+xml",
    );
  });

  it("takes a file by PUT and by form, and gives it back byte by byte", async () => {
    const bytes = randomBytes(3_000_001);
    const put = await fetch(`${nas.origin}/files/a.bin`, { method: "PUT", body: bytes });
    expect(put.status).toBe(201);
    const form = new FormData();
    form.set("file", new Blob([bytes]), "Übergröße 文件.bin");
    const post = await fetch(nas.origin, { method: "POST", body: form, redirect: "manual" });
    expect(post.status).toBe(303);
    for (const name of ["a.bin", encodeURIComponent("Übergröße 文件.bin")]) {
      const back = Buffer.from(await (await fetch(`${nas.origin}/files/${name}`)).arrayBuffer());
      expect(createHash("sha256").update(back).digest("hex")).toBe(
        createHash("sha256").update(bytes).digest("hex"),
      );
    }
  });

  it("keeps nothing of an upload that ends early", async () => {
    const before = await readdir(folder);
    const body = '--x\r\nContent-Disposition: form-data; name="file"; filename="half"\r\n\r\nabc';
    const answer = await fetch(nas.origin, {
      method: "POST",
      body,
      headers: { "content-type": "multipart/form-data; boundary=x" },
    });
    expect(answer.status).toBe(400);
    expect(await readdir(folder)).toEqual(before);
  });

  it("answers ranges, HEAD and conditional requests", async () => {
    const url = `${nas.origin}/files/welcome.txt`;
    const whole = await readFile(join(folder, "welcome.txt"));
    const part = await fetch(url, { headers: { range: "bytes=3-9" } });
    expect([part.status, await part.text()]).toEqual([206, whole.toString().slice(3, 10)]);
    const tail = await fetch(url, { headers: { range: "bytes=-5" } });
    expect(await tail.text()).toBe(whole.toString().slice(-5));
    expect((await fetch(url, { headers: { range: "bytes=99999-" } })).status).toBe(416);
    const head = await fetch(url, { method: "HEAD" });
    expect(head.headers.get("content-length")).toBe(String(whole.length));
    const etag = head.headers.get("etag") ?? "";
    expect((await fetch(url, { headers: { "if-none-match": etag } })).status).toBe(304);
    const resume = (tag: string) => fetch(url, { headers: { range: "bytes=3-", "if-range": tag } });
    expect((await resume(etag)).status).toBe(206);
    expect((await resume('"older"')).status).toBe(200);
  });

  it("deletes a file, once", async () => {
    const url = `${nas.origin}/files/welcome.txt`;
    expect((await fetch(url, { method: "DELETE" })).status).toBe(204);
    expect((await fetch(url, { method: "DELETE" })).status).toBe(404);
  });

  it("gives what it looked at, whatever comes to lie at the path meanwhile", async () => {
    const path = join(folder, "page.txt");
    await writeFile(`${folder}-secret`, "secret");
    await writeFile(path, "public");
    let flipping = true;
    const flip = async () => {
      for (let turn = 0; flipping; turn++) {
        const next = join(folder, `.next${turn % 2}`);
        await rm(next, { force: true });
        if (turn % 2 === 0) await symlink(`${folder}-secret`, next);
        else await writeFile(next, "public");
        await rename(next, path);
      }
    };
    const flipped = flip();
    const seen = new Set<string>();
    for (let turn = 0; turn < 500; turn++) {
      const answer = await fetch(`${nas.origin}/files/page.txt`);
      seen.add(answer.status === 200 ? await answer.text() : String(answer.status));
    }
    flipping = false;
    await flipped;
    await rm(`${folder}-secret`);
    expect([seen.has("public"), seen.has("secret")]).toEqual([true, false]);
  });

  it("reaches nothing outside its folder", async () => {
    await writeFile(`${folder}-secret`, "secret");
    await symlink(`${folder}-secret`, join(folder, "link"));
    for (const path of [
      "/files/../../etc/passwd",
      "/files/..%2f..%2fetc%2fpasswd",
      "/files/link",
      "/files/.hidden",
      "/files/%00",
      "/files/%ff",
      "/files/",
    ]) {
      expect([path, await raw(path)]).toEqual([
        path,
        expect.toSatisfy((s) => s === 400 || s === 404),
      ]);
    }
    await rm(`${folder}-secret`);
  });
});
