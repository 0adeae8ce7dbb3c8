/** What may happen to two accounts on their way in, and orders of it for property tests. */

import fc from "fast-check";
import { limits } from "../../protocol/limits.ts";
import type { CodeKind } from "../../workers/sign-in/step-proofs.ts";
import { STEP_MS } from "./steps-support.ts";

export type Action =
  | { do: "first"; who: number; password: "right" | "wrong" | "former"; trust: Trust }
  | { do: "second"; which: number; kind: CodeKind; code: Quality; trust: boolean }
  | { do: "race"; which: number; runners: readonly Runner[] }
  | { do: "wait"; ms: number }
  | { do: "app" | "sms"; who: number; on: boolean }
  | { do: "codes" | "password" | "untrust"; who: number };
/** One of several who go on with the same sign-in at once. */
interface Runner {
  readonly kind: CodeKind;
  readonly code: "right" | "wrong";
  readonly trust: boolean;
}
type Trust = "none" | "own" | "other" | "ended";
export type Quality = "right" | "wrong" | "replayed" | "other";

const who = fc.nat({ max: 1 });
type First = Action & { do: "first" };
type Second = Action & { do: "second" };
const first = (given: Partial<First> = {}): fc.Arbitrary<Action> =>
  fc
    .record({
      do: fc.constant("first" as const),
      who,
      password: fc.constantFrom("right", "right", "right", "wrong", "former"),
      trust: fc.constantFrom("none", "own", "own", "other", "ended"),
    })
    .map((drawn) => ({ ...drawn, ...given }));
const second = (given: Partial<Second> = {}): fc.Arbitrary<Action> =>
  fc
    .record({
      do: fc.constant("second" as const),
      which: fc.nat({ max: 2 }),
      kind: fc.constantFrom("totp", "totp", "sms", "recovery-code"),
      code: fc.constantFrom("right", "right", "right", "wrong", "replayed", "other"),
      trust: fc.boolean(),
    })
    .map((drawn) => ({ ...drawn, ...given }));
const runner: fc.Arbitrary<Runner> = fc.record({
  kind: fc.constantFrom("recovery-code", "recovery-code", "recovery-code", "totp", "sms"),
  code: fc.constantFrom("right", "right", "right", "wrong"),
  trust: fc.boolean(),
});
const race: fc.Arbitrary<Action> = fc.record({
  do: fc.constant("race" as const),
  which: fc.nat({ max: 1 }),
  runners: fc.array(runner, { minLength: 2, maxLength: 4 }),
});
const wait: fc.Arbitrary<Action> = fc.record({
  do: fc.constant("wait" as const),
  ms: fc.oneof(
    { weight: 8, arbitrary: fc.constant(STEP_MS) },
    { weight: 2, arbitrary: fc.constant(limits.signInStepMs) },
    { weight: 1, arbitrary: fc.constant(limits.trustedBrowserMs) },
  ),
});
const change: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    do: fc.constantFrom("app" as const, "app" as const, "sms" as const),
    who,
    on: fc.constantFrom(true, true, false),
  }),
  fc.record({
    do: fc.constantFrom("codes" as const, "password" as const, "untrust" as const),
    who,
  }),
);
const anything = fc.oneof(first(), second(), second(), race, wait, change);

/** A few actions that mean something together; the rest of an order makes a mess of them. */
const asked = first({ password: "right", trust: "none" });
const scene: fc.Arbitrary<Action[]> = fc.oneof(
  fc.tuple(anything, anything),
  fc.tuple(asked, second({ which: 0 })),
  fc.tuple(asked, fc.oneof(wait, change), second({ which: 0, code: "right" })),
  fc.tuple(
    asked,
    race.map((drawn) => ({ ...drawn, which: 0 })),
  ),
  fc.tuple(asked, asked, second({ which: 0, kind: "totp" }), second({ which: 1, kind: "totp" })),
  fc.tuple(asked, second({ which: 0, code: "right", trust: true }), first({ password: "right" })),
);

/** An account that is protected and has a trusted browser, from where the interesting orders begin. */
const protectedBefore = (who: number): Action[] => [
  { do: "app", who, on: true },
  { do: "first", who, password: "right", trust: "none" },
  { do: "second", which: 0, kind: "totp", code: "right", trust: true },
  { do: "wait", ms: STEP_MS },
];
export const orders = fc
  .tuple(
    fc.constantFrom([0, 1], [0, 1], [0], [1], []),
    fc.array(scene, { minLength: 3, maxLength: 10 }),
  )
  .map(([accounts, scenes]) => [...accounts.flatMap(protectedBefore), ...scenes.flat()]);
