/**
 * The device's own program: its sockets are let in here, what it says in words is taken, and when one of
 * its sockets goes that is noted. What it says in frames is Link's.
 */

import { agentSaid } from "../../protocol/agent.ts";
import { type Agents, agentOf, refusedAgent } from "./agents.ts";
import type { Socket } from "./context.ts";
import type { Naming } from "./naming.ts";
import type { Published } from "./published.ts";
import type { RegistrationRecord } from "./registration.ts";
import type { Rooms } from "./switches.ts";

/** What this needs of the device around it. */
interface House {
  readonly registration: RegistrationRecord;
  readonly agents: Agents;
  readonly published: Published;
  readonly naming: Naming;
  /** Plans the next wake-up anew. */
  readonly schedule: () => void;
  /** Runs `work` beside no other change. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Tells whoever watches. */
  readonly changed: () => Promise<unknown>;
}

export class Hearing {
  readonly #rooms: Rooms;
  readonly #house: House;

  constructor(rooms: Rooms, house: House) {
    this.#rooms = rooms;
    this.#house = house;
  }

  /** Upgrades the request of the device's program, which proves itself by `publicKey`. */
  async accept(request: Request, publicKey: string): Promise<Response> {
    const { registration, agents, published } = this.#house;
    const { features, link, connection } = this.#rooms;
    const jti = await agents.admit(request, publicKey);
    if (jti === null) return new Response(null, { status: 401 });
    return await this.#house.inTurn(async () => {
      const row = registration.row();
      if (row === null) return new Response(null, { status: 404 });
      const states = features.states();
      const response = agents.accept(request, jti);
      if (typeof response === "string") return refusedAgent(response);
      agents.tellLabel(row.label);
      agents.tellFeatures(states);
      link.onAgent();
      if (states.name || states.link) await connection.recordLive();
      if (states.name) await published.adopt(connection);
      await this.#house.changed();
      return response;
    });
  }

  /** Takes what the program says in words; false when it is not understood. */
  async hear(socket: Socket, text: string): Promise<boolean> {
    const { registration, agents, naming, inTurn } = this.#house;
    const { features, connection, shortcut } = this.#rooms;
    const said = agentSaid(text);
    if (said?.kind === "service") {
      if (agents.noteService(socket, said.state)) await this.#house.changed();
    } else if (said?.kind === "kept") {
      const isNews = features.isOn("name") && agents.noteAddress(socket, said.ipv6);
      if (isNews) await inTurn(() => naming.follow(connection));
    } else if (said?.kind === "reach") {
      await inTurn(async () => {
        if (registration.row() === null) return;
        await shortcut.report(said.reach);
        this.#house.schedule();
      });
    }
    return said !== null;
  }

  /** A socket of the program has gone. */
  async gone(socket: Socket, code: number): Promise<void> {
    if (agentOf(socket) === null) return;
    const { link, connection, features, shortcut } = this.#rooms;
    link.onAgentGone(socket, code);
    await this.#house.inTurn(async () => {
      if (this.#house.registration.row() === null) return;
      await connection.agentClosed(socket, features.states());
      shortcut.renew();
      await this.#house.changed();
    });
  }
}
