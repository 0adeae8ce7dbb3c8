/** The operator's minimum age: who passes, and what is refused without saying which answer would pass. */

import { expect, it } from "vitest";
import { Problem } from "../../workers/problem.ts";
import { ageOf, checkAge } from "../../workers/sign-in/age.ts";

const verdict = (minimumAge: number | null, age: number | undefined) => {
  try {
    checkAge({ minimumAge }, age);
    return "passes";
  } catch (error) {
    return error instanceof Problem ? error.code : "a fault";
  }
};

it("lets whoever is old enough pass, to the year", () => {
  expect([15, 16, 17].map((age) => verdict(16, age))).toEqual(["too-young", "passes", "passes"]);
  expect([0, 150].map((age) => verdict(1, age))).toEqual(["too-young", "passes"]);
});

it("asks again for what is no age", () => {
  for (const age of [undefined, -1, 151, 15.5, Number.NaN]) {
    expect(verdict(16, age)).toBe("age-missing");
  }
});

it("takes no age where the operator asks for none", () => {
  expect(verdict(null, undefined)).toBe("passes");
  expect(verdict(null, 40)).toBe("unknown-field");
});

it("reads whole years as people type them, and nothing else", () => {
  expect([" 16 ", "016", "0", "150"].map(ageOf)).toEqual([16, 16, 0, 150]);
  for (const text of ["", "sixteen", "16.5", "-16", "1e1", "151", "2010-01-01", "１６"]) {
    expect(ageOf(text), text).toBeUndefined();
  }
});
