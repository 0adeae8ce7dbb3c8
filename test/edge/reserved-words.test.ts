/** A device's name is also a path on the console's host, so no name may shadow a page or the API. */

import { expect, it } from "vitest";
import { checkLabel } from "../../protocol/names.ts";
import { routes } from "../../workers/app.ts";

const firstSegment = (path: string): string => path.split("/")[1] ?? "";

it("reserves every word that begins a path of the console or the API", async () => {
  const segments = new Set((await routes()).map(({ path }) => firstSegment(path)));
  const words = [...segments].filter((word) => !/^$|[:*]/.test(word));
  expect(words).toEqual(expect.arrayContaining(["api", "devices", "sign-in", "door"]));
  const open = words.filter((word) => checkLabel(word) === null);
  expect(open).toEqual([]);
});

it("leaves ordinary names free", () => {
  expect(["attic", "nas", "demo", "cellar", "grandma"].map(checkLabel)).toEqual(
    Array(5).fill(null),
  );
});
