/** A person with an account, made the way a person makes one: sign-up, mail, link. */

import { linkIn } from "../../../scripts/local/mailbox.ts";
import { newMarker } from "../../support/canary.ts";
import { ask } from "./http.ts";
import type { World } from "./world.ts";

export interface Person {
  readonly address: string;
  readonly password: string;
  readonly accountId: string;
  readonly token: string;
}

/** Signs up with a fresh address, opens the mail's link, and is signed in. */
export async function newPerson(world: World, region?: string): Promise<Person> {
  const address = `${newMarker()}@example.test`;
  const password = `${newMarker()} Aa1`;
  const asked = await ask(world, "/api/sign-up", {
    body: { address, password, ...(region === undefined ? {} : { region }) },
  });
  if (asked.status !== 202) throw new Error(`sign-up: ${asked.status} ${asked.text}`);
  const token = await tokenInMail(world, address);
  const opened = await ask(world, "/api/sign-up/verify", { body: { token, password } });
  if (opened.status !== 201) throw new Error(`verify: ${opened.status} ${opened.text}`);
  return { address, password, accountId: opened.json.account_id, token: opened.json.token };
}

/** The token in the link of the next mail to `address`. */
export async function tokenInMail(world: World, address: string): Promise<string> {
  const link = new URL(linkIn(await world.mailbox.next(address)));
  return link.searchParams.get("token") ?? "";
}

/** Signs in once more and returns the new session's token. */
export async function signInAgain(world: World, person: Person): Promise<string> {
  const { address, password } = person;
  const answer = await ask(world, "/api/sessions", { body: { address, password } });
  if (answer.status !== 201) throw new Error(`sign-in: ${answer.status} ${answer.text}`);
  return answer.json.token;
}
