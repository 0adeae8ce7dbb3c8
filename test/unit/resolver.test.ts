/** The way to the operator's resolver: what is sent, and what of an answer is believed. */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import packet from "dns-packet";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { resolverTransport } from "../../workers/egress/resolver.ts";
import { knowing } from "../support/resolvers.ts";

let server: Server;
let url: string;
let asked: { method: string; path: string; type: string; body: Buffer }[];
let status: number;
let answer: (message: Buffer) => Buffer;

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { method = "", url: path = "", headers } = request;
    asked.push({ method, path, type: headers["content-type"] ?? "", body });
    response.writeHead(status, status === 302 ? { location: "/elsewhere" } : {});
    response.end(answer(body));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/dns-query`;
});
afterAll(() => void server.close());
beforeEach(() => {
  [asked, status] = [[], 200];
  answer = knowing({ "own.test": "nas.ddns.test" });
});

const ask = (name = "own.test", type = "CNAME") => resolverTransport(url)({ name, type });

describe("the resolver", () => {
  it("is asked by POST for one name and kind, and believed", async () => {
    expect(await ask()).toEqual({
      rcode: 0,
      records: [{ name: "own.test", type: "CNAME", value: "nas.ddns.test" }],
    });
    expect(await ask("none.test")).toEqual({ rcode: 3, records: [] });
    expect(asked[0]).toMatchObject({
      ...{ method: "POST", path: "/dns-query", type: "application/dns-message" },
    });
    expect(packet.decode(asked[0]?.body ?? Buffer.alloc(0)).questions).toMatchObject([
      { name: "own.test", type: "CNAME" },
    ]);
  });

  it("says nothing with junk, with another's answer, or with more than fits", async () => {
    answer = () => Buffer.from("<html>");
    expect(await ask()).toBe(null);
    answer = () =>
      knowing({})(Buffer.from(packet.encode({ questions: [{ type: "A", name: "b" }] })));
    expect(await ask()).toBe(null);
    answer = () => Buffer.alloc(limits.resolverAnswerBytes + 1);
    expect(await ask()).toBe(null);
  });

  it.each([302, 400, 429, 503])("is not believed with %i, nor followed", async (code) => {
    status = code;
    await expect(ask()).rejects.toThrow(`${code}`);
    expect(asked).toHaveLength(1);
  });

  it("is asked for three kinds only, and nobody where none is named", async () => {
    await expect(ask("own.test", "ANY")).rejects.toThrow("not a question");
    await expect(ask("own.test", "toString")).rejects.toThrow("not a question");
    await expect(resolverTransport(null)({ name: "own.test", type: "A" })).rejects.toThrow();
    expect(asked).toEqual([]);
  });
});
