/**
 * Thousands of answers that no authenticator gives, over the API: each is refused as the sender's
 * mistake, none is a fault of ours, and none gets in.
 */

import { env } from "cloudflare:workers";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { base64url, fromBase64url } from "../../protocol/tokens.ts";
import { handle } from "../../workers/app.ts";
import { openCeremony } from "../../workers/sign-in/ceremonies.ts";
import { addPasskey, creationOptions } from "../../workers/sign-in/passkeys.ts";
import { Authenticator } from "../support/authenticator.ts";
import { CLIENT, type NewSession, newPerson } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";

const ORIGIN = "http://localhost:8787";
const SEED = 20_261_122;
let test: TestPorts;
let person: NewSession;
let key: Authenticator;

beforeAll(async () => {
  const limits = { take: async () => true };
  test = testPorts({ env, variables: { ORIGIN }, replace: { limits } });
  person = await newPerson(test, "fuzz@example.org");
  key = new Authenticator(ORIGIN);
  const response = await key.create(await creationOptions(test.ports, person.accountId));
  await addPasskey(test.ports, person.accountId, { response }, CLIENT);
});

type Json = Record<string, unknown> & { response: Record<string, unknown> };

/** One way to spoil an answer. */
type Spoil = (answer: Json) => void;

const strange = fc.oneof(
  fc.constantFrom<unknown>(null, undefined, true, 0, -1, 1e308, "", "=", "ä", [], {}, "A"),
  fc.jsonValue({ maxDepth: 3 }),
  fc.nat(40_000).map((length) => "A".repeat(length)),
);
const inner = (...names: string[]) => fc.constantFrom(...names);

/** Changes, cuts, stretches or nests the bytes of one field. */
const bytes = (names: string[]): fc.Arbitrary<Spoil> =>
  fc
    .record({
      name: inner(...names),
      at: fc.nat(600),
      value: fc.integer({ min: 1, max: 255 }),
      insert: fc.uint8Array({ maxLength: 40 }),
      how: fc.constantFrom("flip", "cut", "insert", "append", "nest"),
    })
    .map(({ name, at, value, insert, how }) => (answer) => {
      const before = fromBase64url(String(answer.response[name])) ?? new Uint8Array();
      const place = before.length === 0 ? 0 : at % before.length;
      const [head, tail] = [before.slice(0, place), before.slice(place)];
      const after = {
        flip: () => before.with(place, (before[place] ?? 0) ^ value),
        cut: () => head,
        insert: () => Uint8Array.from([...head, ...insert, ...tail]),
        append: () => Uint8Array.from([...before, ...insert, value]),
        nest: () => Uint8Array.from([...head, ...new Uint8Array(8000).fill(0x81)]),
      }[how]();
      answer.response[name] = base64url(after);
    });

const fields = (names: string[]): fc.Arbitrary<Spoil> =>
  fc.oneof(
    fc.tuple(inner(...names), strange).map(([name, value]) => (answer: Json) => {
      answer.response[name] = value;
    }),
    fc.tuple(inner("id", "rawId", "type", "response"), strange).map(
      ([name, value]) =>
        (answer: Json) =>
          void Object.assign(answer, { [name]: value }),
    ),
  );

/** Client data that says something else, about the right challenge. */
const clientData = fc
  .tuple(inner("type", "origin", "crossOrigin", "topOrigin", "tokenBinding"), strange)
  .map(
    ([name, value]): Spoil =>
      (answer) => {
        const text = new TextDecoder().decode(
          fromBase64url(String(answer.response.clientDataJSON)) ?? undefined,
        );
        const data = JSON.stringify({ ...JSON.parse(text), [name]: value });
        answer.response.clientDataJSON = base64url(new TextEncoder().encode(data));
      },
  );

async function ask(path: string, body: unknown): Promise<number> {
  const request = new Request(ORIGIN + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${person.token}` },
    body: JSON.stringify(body),
  });
  const response = await handle(request, test.ports);
  await response.body?.cancel();
  return response.status;
}

const isRefused = (status: number) => status >= 400 && status < 500;

describe("a spoiled answer", { timeout: 300_000 }, () => {
  it("never signs in and never makes us fail, a thousand times", async () => {
    const names = ["clientDataJSON", "authenticatorData", "signature", "userHandle"];
    const spoil = fc.oneof(bytes(names), fields(names), clientData);
    const asked = { kind: "sign-in", accountId: null } as const;
    // ASN.1 has more than one way to write the same two numbers of a signature: that alone may pass.
    const said = ({ response, ...answer }: Json) =>
      JSON.stringify({ ...answer, ...response, signature: "" });
    const statuses: number[] = [];
    await fc.assert(
      fc.asyncProperty(spoil, async (change) => {
        const challenge = await openCeremony(test.ports, asked);
        const answer = (await key.get({ challenge, rpId: "localhost" })) as unknown as Json;
        const before = said(answer);
        change(answer);
        const status = await ask("/api/sign-in/passkey", { response: answer });
        const fine = isRefused(status) || (status === 201 && said(answer) === before);
        expect([JSON.stringify(answer), status, fine]).toEqual([expect.anything(), status, true]);
        statuses.push(status);
      }),
      { numRuns: 1000, seed: SEED },
    );
    expect(statuses.filter(isRefused).length).toBeGreaterThan(900);
  });

  it("never adds a passkey that is not what was asked, and never makes us fail", async () => {
    const names = ["clientDataJSON", "attestationObject", "transports"];
    const spoil = fc.oneof(bytes(names.slice(0, 2)), fields(names.slice(0, 2)), clientData);
    const asked = { kind: "add", accountId: person.accountId } as const;
    const rp = { id: "localhost" };
    const user = { id: base64url(new TextEncoder().encode(person.accountId)) };
    await fc.assert(
      fc.asyncProperty(spoil, async (change) => {
        const challenge = await openCeremony(test.ports, asked);
        const answer = await key.create({ challenge, rp, user });
        change(answer as unknown as Json);
        const status = await ask("/api/passkeys", { response: answer });
        expect([status, isRefused(status) || status === 201]).toEqual([status, true]);
      }),
      { numRuns: 1000, seed: SEED },
    );
  });
});
