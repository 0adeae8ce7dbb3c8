/**
 * Text messages over the wire, against a server that checks what Twilio's Messages resource documents:
 * basic authentication with account and secret, and a form of `From`, `To` and `Body`.
 */

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { smsTransport } from "../../workers/egress/egress.ts";

interface Seen {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly authorization: string | undefined;
  readonly type: string | undefined;
  readonly form: Record<string, string>;
}

const fields = {
  from: "+15005550006",
  to: "+4915112345678",
  text: "123456 is your code & more: ü",
};
let server: Server;
let seen: Seen[];
let answer: { status: number; body: string; headers?: Record<string, string> };

beforeEach(async () => {
  seen = [];
  answer = { status: 201, body: '{"sid":"SM1","status":"queued"}' };
  server = createServer(async (request: IncomingMessage, response) => {
    seen.push({
      method: request.method,
      path: request.url,
      authorization: request.headers.authorization,
      type: request.headers["content-type"],
      form: Object.fromEntries(new URLSearchParams(await text(request))),
    });
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
    response.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const url = (user = "AC12:to%2Fken") =>
  `http://${user}@127.0.0.1:${(server.address() as AddressInfo).port}/2010-04-01/Accounts/AC12/Messages.json`;

describe("a text message", () => {
  it("[NOT-7] reaches the provider in its form, with nothing but sender, receiver and text", async () => {
    await smsTransport(url())(fields);
    expect(seen).toEqual([
      {
        method: "POST",
        path: "/2010-04-01/Accounts/AC12/Messages.json",
        authorization: `Basic ${Buffer.from("AC12:to/ken").toString("base64")}`,
        type: "application/x-www-form-urlencoded;charset=UTF-8",
        form: { From: fields.from, To: fields.to, Body: fields.text },
      },
    ]);
  });

  it.each([
    [400, '{"code":21211,"message":"Invalid To number"}'],
    [401, '{"code":20003,"message":"Authenticate"}'],
    [429, '{"code":20429}'],
    [500, "not even JSON"],
  ])("is refused with %s as a failure that names nobody", async (status, body) => {
    answer = { status, body };
    const sent = smsTransport(url())(fields);
    await expect(sent).rejects.toThrow(`the provider answered ${status}`);
    await sent.catch((error: Error) => expect(error.message).not.toMatch(/4915|AC12|code &/));
  });

  it("follows the provider nowhere else", async () => {
    answer = { status: 307, body: "", headers: { location: `${url().replace("AC12/", "EVIL/")}` } };
    await expect(smsTransport(url())(fields)).rejects.toThrow("307");
    expect(seen).toHaveLength(1);
  });

  it("is not sent where no provider is configured", async () => {
    await expect(smsTransport(null)(fields)).rejects.toThrow("SMS_URL");
    expect(seen).toEqual([]);
  });
});
