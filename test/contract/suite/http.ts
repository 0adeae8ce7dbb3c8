/** A plain HTTP client that says any host to the edge on loopback, follows nothing and keeps nothing. */

import { Agent, request } from "undici";
import type { World } from "./world.ts";

const agent = new Agent({ keepAliveTimeout: 1 });

export interface Ask {
  readonly method?: string;
  /** The `Host` to name; the console's when absent. */
  readonly host?: string;
  /** A session's token. */
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object goes as JSON. */
  readonly body?: string | Uint8Array | object;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON came
  readonly json: any;
}

/** Sends one request and reads the whole answer. */
export async function ask(world: World, path: string, options: Ask = {}): Promise<Answer> {
  const { body } = options;
  const raw = body === undefined || typeof body === "string" || body instanceof Uint8Array;
  const headers: Record<string, string> = { host: options.host ?? `localhost:${world.port}` };
  if (options.token !== undefined) headers.authorization = `Bearer ${options.token}`;
  if (!raw) headers["content-type"] = "application/json";
  const answer = await request(`http://127.0.0.1:${world.port}${path}`, {
    method: (options.method ?? (body === undefined ? "GET" : "POST")) as "GET",
    headers: { ...headers, ...options.headers },
    body: raw ? (body ?? null) : JSON.stringify(body),
    dispatcher: agent,
  });
  const bytes = Buffer.from(await answer.body.arrayBuffer());
  return {
    status: answer.statusCode,
    headers: answer.headers,
    body: bytes,
    text: bytes.toString(),
    get json() {
      return JSON.parse(bytes.toString());
    },
  };
}

/** The value of a cookie that an answer sets, last; null when it sets none of that name. */
export function cookieOf(answer: Answer, name: string): string | null {
  const lines = [answer.headers["set-cookie"] ?? []].flat();
  const line = lines.findLast((candidate) => candidate.startsWith(`${name}=`));
  return line === undefined ? null : (line.slice(name.length + 1).split(";")[0] ?? null);
}
