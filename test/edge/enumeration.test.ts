/**
 * Whether an address has an account is told to nobody: every public question about an address, asked of
 * one that has an account, one whose account has no password, one whose account was erased and one that
 * never had any. Status, headers, body, queries, counted tries and key reads are the same; what is sent
 * goes to the reader of the address only.
 */

import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { R2KeyStore } from "../../durable-objects/platform.ts";
import { handle } from "../../workers/app.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { newPerson } from "../support/person.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";
import { switchOn } from "../support/second-step.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
let test: TestPorts;
let count = 0;

/** Whose address is asked about; each as long as the others, for it comes back in pages. */
const kinds = ["password", "no-passwd", "two-steps", "is-erased", "is-nobody"] as const;
type Kind = (typeof kinds)[number];
const address = (kind: Kind | "warm-up-x") => `${kind}${count}@enumeration.example`;

beforeEach(async () => {
  test = testPorts({ env, variables: { SMS_URL: "https://a:b@sms.example/" } });
  count++;
  for (const kind of kinds.slice(0, 4)) {
    const { accountId } = await newPerson(test, address(kind));
    if (kind === "no-passwd") {
      await DB_HOME.prepare("DELETE FROM password WHERE account_id = ?").bind(accountId).run();
    }
    if (kind === "two-steps") await switchOn(test.ports, accountId);
    if (kind === "is-erased") await eraseAccount(test.ports, accountId);
  }
  await test.settle();
});
afterEach(() => vi.restoreAllMocks());

/** A public question; `text` makes its body of an address. */
interface Question {
  readonly path: string;
  readonly form?: (address: string) => Record<string, string>;
  readonly json?: (address: string) => unknown;
}
const wrong = "a password that nobody has";
const questions: readonly Question[] = [
  { path: "/api/sign-up", json: (address) => ({ address, password: wrong }) },
  { path: "/sign-up", form: (address) => ({ address, password: wrong }) },
  { path: "/api/sessions", json: (address) => ({ address, password: wrong }) },
  { path: "/sign-in", form: (address) => ({ address, password: wrong, return: "/account" }) },
  { path: "/api/password/forgot", json: (address) => ({ address }) },
  { path: "/forgot", form: (address) => ({ address }) },
];

/** What differs between any two answers: secrets, nonces, and the address that was asked about. */
const same = (text: string, asked: string) =>
  text
    .replaceAll(asked, "ADDRESS")
    .replaceAll(encodeURIComponent(asked), "ADDRESS")
    .replaceAll(/nonce(=|-)"?[\w-]{22}"?/g, "NONCE")
    .replaceAll(/lk_[a-z]{3}_[a-z]+_\w+/g, "SECRET");

async function observed({ path, form, json }: Question, asked: string) {
  const origin = test.ports.config.origin;
  const type = json ? "application/json" : "application/x-www-form-urlencoded";
  const body = json
    ? JSON.stringify(json(asked))
    : new URLSearchParams(form?.(asked) ?? {}).toString();
  const reads = vi.spyOn(R2KeyStore.prototype, "get");
  const creates = vi.spyOn(R2KeyStore.prototype, "getOrCreate");
  const takes = vi.spyOn(test.ports.limits, "take");
  const batches = vi.spyOn(Object.getPrototypeOf(DB_HOME) as D1Database, "batch");
  const queries = countQueries(DB_HOME);
  const headers = { "content-type": type, origin };
  const workSoFar = () => ({ queries: queries(), batches: batches.mock.calls.length });
  // What goes on behind the answer makes nobody wait.
  let before: ReturnType<typeof workSoFar> | null = null;
  const background: TestPorts["ports"]["background"] = (work) => {
    before ??= workSoFar();
    test.ports.background(work);
  };
  const peer = `198.51.100.${count}`;
  const request = new Request(origin + path, { method: "POST", headers, body });
  const response = await handle(request, { ...test.ports, peer, background });
  before ??= workSoFar();
  const seen = {
    status: response.status,
    headers: [...response.headers].map(([name, value]) => [name, same(value, asked)]),
    body: same(await response.text(), asked),
    before,
    tries: takes.mock.calls.map(([kind]) => kind),
    keys: [reads.mock.calls.length, creates.mock.calls.length],
  };
  await test.settle();
  vi.restoreAllMocks();
  return seen;
}

describe.each(questions)("a public question: POST $path", (question) => {
  it("is answered alike for every address, by the same work", async () => {
    await observed(question, address("warm-up-x"));
    const seen: [Kind, unknown][] = [];
    for (const kind of kinds) seen.push([kind, await observed(question, address(kind))]);
    const nobodys = seen.at(-1)?.[1];
    for (const [kind, answer] of seen) expect([kind, answer]).toEqual([kind, nobodys]);
  });
});
