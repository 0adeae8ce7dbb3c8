/**
 * The rest of an upload on its way from the edge to a service that takes its time: every byte is what was sent, and
 * all memory comes back.
 */

import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Pool } from "undici";
import { afterEach, expect, it, vi } from "vitest";
import { type BulkLane, bulkLaneTo } from "../../agent/bulk.ts";
import { connectLending, memoryLent } from "../../agent/lending-socket.ts";
import { RequestBody } from "../../agent/upload.ts";
import { bulkOffsetHeader } from "../../protocol/agent.ts";

const MIB = 1 << 20;
/** More than the kernel takes for one who does not read. */
const whole = randomBytes(64 * MIB);

const turns = async (left: number) => {
  for (; left > 0; left--) await new Promise((turn) => setImmediate(turn));
};
const servers: Server[] = [];
let lane: BulkLane | null = null;
let pool: Pool | null = null;

afterEach(async () => {
  lane?.close();
  await pool?.destroy();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(answer: (from: IncomingMessage, to: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An edge that has `whole` for the box, in writes of such sizes, in turn. */
const edge = (sizes: readonly number[], count = whole.length) =>
  serve(async (_from, to) => {
    to.writeHead(200, { [bulkOffsetHeader]: "0", "content-length": String(whole.length) });
    for (let at = 0, turn = 0; at < count && !to.destroyed; turn++) {
      const size = Math.min(sizes[turn % sizes.length] as number, count - at);
      const piece = whole.subarray(at, at + size);
      await new Promise<void>((gone) => to.write(piece, () => gone()));
      await turns(2); // the box reads it by itself
      at += size;
    }
    if (count === whole.length) to.end();
    else to.destroy();
  });

/** A service that hashes what it gets, and looks away after each piece until all who wait for it are full. */
const slowService = (hashes: string[]) =>
  serve(async (from, to) => {
    const hash = createHash("sha256");
    try {
      for await (const chunk of from) {
        hash.update(chunk as Buffer);
        await turns(30);
      }
      hashes.push(hash.digest("hex"));
    } catch {
      hashes.push("broken");
    }
    to.end();
  });

/** Sends what the edge has to the service. `done`: whether the service got it */
function pass(cloud: string, service: string): { body: RequestBody; done: Promise<boolean> } {
  const body = new RequestBody({ consumed: () => undefined, restTaken: () => undefined });
  lane = bulkLaneTo(cloud, "dev_x");
  pool = new Pool(service, { connections: 1, connect: connectLending });
  body.fetch(lane.fetch, new Uint8Array(32));
  body.expect(whole.length);
  body.finish();
  const headers = { "content-length": String(whole.length) };
  const done = pool
    .request({ path: "/", method: "PUT", headers, body: body as unknown as Buffer })
    .then(
      ({ body: said }) => said.dump().then(() => true),
      () => {
        body.fail(); // as the agent does for a service that broke off
        return false;
      },
    );
  return { body, done };
}

const allBack = () => vi.waitFor(() => expect(memoryLent().held).toBe(0));

it.each([[[4 * MIB]], [[70_000]], [[40_000]], [[300_000, 200, 70_000, 1]]])(
  "is what was sent, in writes of %j",
  async (sizes) => {
    const hashes: string[] = [];
    const sent = await pass(await edge(sizes), await slowService(hashes)).done;
    expect([sent, hashes]).toEqual([true, [createHash("sha256").update(whole).digest("hex")]]);
    expect(memoryLent().bytes).toBeGreaterThan(0);
    lane?.close();
    await allBack();
  },
);

it("gives all memory back when the edge breaks off, and when the service does", async () => {
  const hashes: string[] = [];
  expect(await pass(await edge([MIB], 8 * MIB), await slowService(hashes)).done).toBe(false);
  await vi.waitFor(() => expect(hashes).toEqual(["broken"]));
  await allBack();
  lane?.close();
  await pool?.destroy();
  const gone = await serve((from) => void from.once("data", () => from.destroy()));
  expect(await pass(await edge([MIB]), gone).done).toBe(false);
  await allBack();
});

it("gives all memory back when the visitor leaves while the service takes no more", async () => {
  const { body, done } = pass(await edge([MIB]), await serve(() => undefined));
  await vi.waitFor(() => expect(memoryLent().held).toBeGreaterThan(2)); // written, waiting, and to be read into
  body.fail();
  await pool?.destroy();
  await done;
  await allBack();
});
