/** What the platform costs without us: a bare Hono route, and a bare object behind one. */

import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";

interface Env {
  readonly ALONE: DurableObjectNamespace<AloneObject>;
}

/** An object that answers at once: the floor under everything that an object does. */
export class AloneObject extends DurableObject {
  override async fetch(): Promise<Response> {
    return new Response("ok");
  }
}

const app = new Hono<{ Bindings: Env }>();
app.get("/plain", (c) => c.text("ok"));
app.get("/object", (c) => c.env.ALONE.getByName("alone").fetch(c.req.raw as never) as never);

export default app;
