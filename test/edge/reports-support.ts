/** A door that people report, its owner, and an operator, for the tests of reports. */

import { env } from "cloudflare:workers";
import { handle } from "../../workers/app.ts";
import { setAccess } from "../../workers/devices/devices.ts";
import { newPerson } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { bindings } from "./devices-support.ts";
import { type Box, newBox } from "./door-support.ts";

export const OPERATOR = "an-operators-token-of-forty-letters-or-so";
export const ORIGIN = "http://localhost:8787";
/** `printf %s "$TOKEN" | sha256sum` */
export async function hexHash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
export const closure = {
  reason: "phishing",
  extent: "open",
  words: "It copies the page of a bank.",
};

export let test: TestPorts;
export let owner: { accountId: string; token: string };
export let box: Box;
let serial = 0;

/** Before each test: everything anew. */
export async function begin(): Promise<void> {
  const variables = { ORIGIN, OPERATOR_TOKEN_HASHES: await hexHash(OPERATOR) };
  test = testPorts({ env, variables });
  await bindings.DB_HOME.batch(
    ["door_report", "door_objection"].map((table) =>
      bindings.DB_HOME.prepare(`DELETE FROM ${table}`),
    ),
  );
  await moveIn();
  await setAccess(test.ports, owner.accountId, box.id, "everyone");
  await test.settle();
  test.mail.sent.length = 0;
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what the API says is read as a caller reads it
  readonly json: any;
}

export async function call(
  method: string,
  path: string,
  body?: unknown,
  token: string | null = OPERATOR,
  peer = "198.51.100.7",
): Promise<Answer> {
  const headers = new Headers();
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  if (body !== undefined) headers.set("content-type", "application/json");
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const response = await handle(new Request(ORIGIN + path, init), { ...test.ports, peer });
  const text = await response.text();
  return { status: response.status, json: text === "" ? null : JSON.parse(text) };
}

export const told = { about: "phishing", words: "It asks for my bank's password." };
export const report = (more: object = {}, peer?: string) =>
  call("POST", "/api/reports", { door: box.label, ...told, ...more }, null, peer);
export const operate = (method: string, path: string, body?: unknown) =>
  call(method, `/api/operator${path}`, body);
export const waiting = async () => (await operate("GET", "/reports")).json.reports;
export const mailTo = (address: string) => test.mail.sent.filter(({ to }) => to === address);
export const rows = async () =>
  (await bindings.DB_HOME.prepare("SELECT * FROM door_report").all()).results;
export const closing = (more: object = {}) =>
  operate("PUT", `/doors/${box.label}/closure`, { ...closure, ...more });

/** Goes on as another operator would have it configured. */
export function configure(variables: Record<string, string>): void {
  test = testPorts({ env, variables });
}

/** An address that nobody has used. */
export const newAddress = () => `owner${serial++}@reports.example`;

/** Another owner with another device, which opens for nobody yet. @returns how many there were */
export async function moveIn(): Promise<number> {
  owner = await newPerson(test, newAddress());
  box = await newBox(test.ports, owner.accountId);
  return serial;
}
