/** The agent's calls to the cloud's API, and sentences for what may go wrong on the way. */

import { limits } from "../protocol/limits.ts";
import { AgentFailure, reasonOf } from "./failure.ts";

/** The origin a person typed, e.g. `https://latchkey.example`. @throws AgentFailure */
export function cloudOrigin(typed: string): string {
  const url = URL.parse(typed);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new AgentFailure(`"${typed}" is not the address of a cloud; it reads https://host.`);
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw new AgentFailure(`${url.origin} is not encrypted; use https://${url.host}.`);
  }
  return url.origin;
}

/** True for hosts that never leave this machine. */
export function isLoopback(hostname: string): boolean {
  return (
    /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname) || hostname.endsWith(".localhost")
  );
}

export interface Answer {
  readonly status: number;
  /** The JSON body; null when there is none. */
  readonly body: unknown;
}

/** Posts JSON. @throws AgentFailure when the cloud cannot be reached */
export async function post(cloud: string, path: string, body: unknown): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  return await ask(cloud, path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Asks with an access token. @throws AgentFailure when the cloud cannot be reached */
export async function get(cloud: string, path: string, token: string): Promise<Answer> {
  return await ask(cloud, path, { headers: { authorization: `Bearer ${token}` } });
}

async function ask(cloud: string, path: string, init: RequestInit): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(cloud + path, {
      ...init,
      redirect: "error",
      signal: AbortSignal.timeout(limits.agentRequestMs),
    });
  } catch (error) {
    throw new Unreachable(cloud, reasonOf(error));
  }
  const text = await response.text().catch(() => "");
  try {
    return { status: response.status, body: JSON.parse(text) };
  } catch {
    return { status: response.status, body: null };
  }
}

/** The cloud did not answer: worth another try. */
export class Unreachable extends AgentFailure {
  constructor(cloud: string, reason: string) {
    super(`${cloud} cannot be reached: ${reason}`);
  }
}

/** The title of a problem document (RFC 9457), or the status. */
export function problemOf(answer: Answer): string {
  const title = (answer.body as { title?: unknown } | null)?.title;
  return typeof title === "string" ? title : `status ${answer.status}`;
}
