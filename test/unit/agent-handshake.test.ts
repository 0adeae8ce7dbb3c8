/** What the agent says to a local service that a visitor opens a WebSocket to. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { LinkServer } from "../../agent/link.ts";
import { encodeHead, type HeaderList } from "../../protocol/link/headers.ts";
import { Session } from "../../protocol/link/session.ts";

it("says a visitor's headers as they are, whatever they are called", async () => {
  const asked = Promise.withResolvers<string[]>();
  const service = createServer().on("upgrade", (request, socket) => {
    asked.resolve(request.rawHeaders);
    socket.destroy();
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  const port = {
    bufferedBytes: () => 0,
    soon: (work: () => void) => queueMicrotask(work),
    later: (work: () => void) => void setImmediate(work),
    onProtocolError: asked.reject,
  };
  const edge: Session = new Session(
    { ...port, send: (message) => server.onMessage(message.slice()) },
    { firstId: 101 },
  );
  const server = new LinkServer({
    ...{ origin, bufferedAmount: () => 0, onProtocolError: asked.reject },
    send: (message) => edge.receive(message.slice()),
  });
  const headers: HeaderList = [
    ["host", "nas.link.test"],
    ["constructor", "one"],
    ["__proto__", "two"],
    ["valueof", "three"],
    ["x-twice", "a"],
    ["x-twice", "b"],
  ];
  const open = { service: "web", method: "GET", path: "/", headers, upgrade: "websocket" } as const;
  const over = new Promise<void>((resolve) => {
    edge.open(encodeHead(open) as Uint8Array, true, {
      head: () => true,
      data: () => undefined,
      end: () => undefined,
      drain: () => undefined,
      reset: () => resolve(),
    });
  });
  const raw = await asked.promise;
  const heard = raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] as string]] : []));
  const own = new Set(headers.map(([name]) => name));
  expect(heard.filter(([name = ""]) => own.has(name.toLowerCase())).sort()).toEqual(
    [...headers].sort(),
  );
  await over;
  server.close();
  edge.close();
  await new Promise((resolve) => service.close(resolve));
});
