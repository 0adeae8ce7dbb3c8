/** Visitors at a door inside workerd: by name, by contact, by link; and an agent that answers them all. */

import { hashToken } from "../../protocol/tokens.ts";
import { handle } from "../../workers/app.ts";
import { setAccess, setFeature } from "../../workers/devices/devices.ts";
import { acceptContact, askContact } from "../../workers/people/contacts.ts";
import type { Ports } from "../../workers/ports.ts";
import { askSocket, enroll, newPerson } from "./devices-support.ts";
import { ScriptedAgent, type TestDevice } from "./link-device.ts";

export const NONCE = "n".repeat(43);
export const client = { userAgent: "test", peer: "198.51.100.7" };

/** A device whose owner and visitors are accounts, its agent connected, its door for `owner` alone. */
export interface Box extends TestDevice {
  readonly owner: string;
  readonly agent: ScriptedAgent;
}

export async function newBox(ports: Ports, person?: string): Promise<Box> {
  const owner = person ?? (await newPerson());
  const enrolled = await enroll(ports, owner);
  const { id, label } = enrolled.device;
  await setFeature(ports, owner, id, "link", true);
  await setAccess(ports, owner, id, "owner");
  const connect = async () => {
    const { webSocket } = (await askSocket(ports, enrolled)) as unknown as { webSocket: WebSocket };
    return new ScriptedAgent(webSocket);
  };
  const ask = async (path: string, init: RequestInit = {}) => {
    const url = `http://${label}.link.localhost:8787${path}`;
    return await handle(new Request(url, { redirect: "manual", ...init }), ports);
  };
  return { id, label, owner, stub: enrolled.stub, agent: await connect(), connect, ask };
}

/** Answers every request with 200 and its head, until told to stop. */
export async function serve(agent: ScriptedAgent): Promise<void> {
  for (;;) {
    const { stream, head } = await agent.request();
    agent.answer(stream, 200, [], JSON.stringify(head));
  }
}

/** Comes in as `account`; the cookie of the visit. Throws what the door says otherwise. */
export async function enter(device: TestDevice, account: string, isContact = false, before = "") {
  const issued = await device.stub.issueDoorCode(
    account,
    await hashToken(NONCE),
    `ses_${account}`,
    isContact,
  );
  if (issued.kind !== "code") throw new Error(issued.kind);
  const response = await device.ask(`/.well-known/latchkey/enter?code=${issued.code}&to=/`, {
    headers: { cookie: `__Host-door-nonce=${NONCE}${before === "" ? "" : `; ${before}`}` },
  });
  return visitIn(response);
}

/** The cookie of the visit that an answer sets. */
export function visitIn(response: Response): string {
  const all = response.headers.getSetCookie().join("\n");
  const token = /__Host-door=(lk_dor_\w+)/.exec(all)?.[1];
  if (token === undefined) throw new Error(`no visit: ${response.status}`);
  return `__Host-door=${token}`;
}

/** Opens a link as a browser does that read its page. */
export function openLink(
  device: Pick<TestDevice, "ask">,
  address: string,
  password = "",
  headers: Record<string, string> = {},
): Promise<Response> {
  const { pathname } = new URL(address);
  return device.ask(pathname, {
    method: "POST",
    headers: {
      "sec-fetch-site": "same-origin",
      "content-type": "application/x-www-form-urlencoded",
      ...headers,
    },
    body: new URLSearchParams(password === "" ? {} : { password }).toString(),
  });
}

/** Makes two people contacts, as they do it themselves. */
export async function befriend(ports: Ports, one: string, other: string): Promise<void> {
  await askContact(ports, one, other, client);
  await acceptContact(ports, other, one, client);
}
