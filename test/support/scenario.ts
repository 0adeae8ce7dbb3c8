/**
 * A whole running edge with people and devices on it, made the way people and devices make them: over
 * HTTP, with real mail. For tests of parts that need a device to exist, not of how it comes to be.
 */

import { Box } from "../contract/suite/box.ts";
import { newPerson, type Person } from "../contract/suite/person.ts";
import { newLabel, World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";

/** Starts an edge on a fresh folder and a free port. */
export function startWorld(): Promise<World> {
  return World.create(workerd);
}

export interface Scenario {
  readonly person: Person;
  readonly box: Box;
  /** `<label>.<DDNS zone>` */
  readonly host: string;
  readonly updateSecret: string;
}

/** A new person with an enrolled device, its name on, and a token of it. */
export async function withDevice(world: World, label = newLabel()): Promise<Scenario> {
  const person = await newPerson(world);
  const box = await Box.enroll(world, person, label);
  await box.switch("name", true);
  return {
    person,
    box,
    host: `${label}.${world.ddnsZone}`,
    updateSecret: await box.nameToken(),
  };
}
