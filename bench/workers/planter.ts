/**
 * Registers devices straight at the stores, many at a time: what an enrolment leaves behind, without its
 * codes, its approval and its label, which an idle device does not need. It runs beside the edge.
 */

import type { DeviceRpc } from "../../durable-objects/device/rpc.ts";
import type { Planted } from "../planted.ts";

interface Env {
  readonly DB_HOME: D1Database;
  readonly DEVICES: { getByName(name: string): DeviceRpc };
}

export default {
  /** Takes a list of devices; all become the first account's, with Link on. */
  async fetch(request: Request, env: Env): Promise<Response> {
    const devices = (await request.json()) as Planted[];
    const accountId = await env.DB_HOME.prepare("SELECT id FROM account").first<string>("id");
    if (accountId === null) return new Response("nobody has signed up", { status: 409 });
    const insert = env.DB_HOME.prepare(
      "INSERT INTO device (id, account_id, created_at) VALUES (?, ?, ?)",
    );
    await env.DB_HOME.batch(
      devices.map(({ deviceId }) => insert.bind(deviceId, accountId, Date.now())),
    );
    const planted = devices.map(async ({ deviceId, publicKey }) => {
      const object = env.DEVICES.getByName(deviceId);
      const label = deviceId.slice(-20).toLowerCase();
      await object.register({ deviceId, accountId, publicKey, label });
      await object.setFeature("link", true);
    });
    await Promise.all(planted);
    return new Response("ok");
  },
};
