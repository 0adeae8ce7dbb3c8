/** The contract of Latchkey's services, the same on every runtime: HTTP, mail and DNS messages only. */

import { afterAll, beforeAll, describe } from "vitest";
import type { Runtime } from "../runtime.ts";
import { accounts } from "./accounts.ts";
import { agents } from "./agent.ts";
import { assets } from "./assets.ts";
import { devices } from "./devices.ts";
import { doors } from "./door.ts";
import { doorAccess } from "./door-access.ts";
import { FRONT_TOKEN_HASHES, fronts } from "./front.ts";
import { lasting } from "./lasting.ts";
import { names } from "./name.ts";
import { nameRecords } from "./name-records.ts";
import { OPENID_CLIENTS, openid } from "./openid.ts";
import { passkeys } from "./passkeys.ts";
import { people } from "./people.ts";
import { longWaits, recovery } from "./recovery.ts";
import { OPERATOR_TOKEN_HASHES, reports } from "./reports.ts";
import { World } from "./world.ts";

export function defineContract(runtime: Runtime): void {
  describe(`on ${runtime.name}`, () => {
    let world: World | null = null;
    const current = () => {
      if (world === null) throw new Error("the edge is not running");
      return world;
    };
    beforeAll(async () => {
      const hashes = { OPERATOR_TOKEN_HASHES, FRONT_TOKEN_HASHES };
      const own = { OPENID_CLIENTS, ...hashes, NETWORK_LIMIT_FACTOR: "100" };
      world = await World.create(runtime, own);
    });
    afterAll(async () => {
      await world?.close();
    });
    accounts(current);
    passkeys(current);
    recovery(current);
    people(current);
    openid(current);
    devices(current);
    names(current);
    nameRecords(current);
    doors(current);
    doorAccess(current);
    reports(current);
    agents(current);
    assets(current);
    fronts(current);
    longWaits(current);
    lasting(current);
  });
}
