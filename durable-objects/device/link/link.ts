/** Link inside the device's object: carries visitors' requests over the device's socket. */

import type { DeviceContext, Socket } from "../context.ts";
import { doorHeader } from "../door.ts";

export class Link {
  readonly #context: DeviceContext;

  constructor(context: DeviceContext) {
    this.#context = context;
  }

  async relay(_request: Request, agent: Socket | null): Promise<Response> {
    void this.#context;
    if (agent === null)
      return new Response(null, { status: 503, headers: { [doorHeader]: "offline" } });
    return new Response(null, { status: 502 });
  }

  onMessage(_socket: Socket, _data: string | ArrayBuffer): void {}
  onAgentGone(_socket: Socket): void {}
  abortAll(_reason: string): void {}
}
