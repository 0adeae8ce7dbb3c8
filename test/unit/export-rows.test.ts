/** How a row reads in its owner's export: what opens, what is only named, and what is never opened at all. */

import { describe, expect, it } from "vitest";
import { exportedTable, HELD, UNREADABLE } from "../../db/data-map/export.ts";
import type { ColumnRule } from "../../db/data-map/types.ts";

const sealedText = (text: string | null) => async () => text;

/** One row of the class `activity`, whose columns are shown in full, or of another class. */
async function shown(
  columns: Readonly<Record<string, ColumnRule>>,
  row: Readonly<Record<string, string | number | null>>,
  open: () => Promise<string | null> = sealedText("nothing opens this"),
  table: "activity" | "passkey ceremony" | "guess count" = "activity",
) {
  const rule = { class: table, columns } as const;
  return (await exportedTable("t", rule, [row], open)).rows[0];
}

const sealed = (shows?: readonly string[]): ColumnRule => ({
  kind: "sealed",
  at: "t.c",
  by: "id",
  ...(shows === undefined ? {} : { shows }),
});

describe("a column in an export", () => {
  it("of a hash or a key is named and not shown", async () => {
    const columns = {
      a: { kind: "secret hash" },
      b: { kind: "keyed hash" },
      c: { kind: "public key" },
    } as const;
    expect(await shown(columns, { a: "x", b: "y", c: "z" })).toEqual({ a: HELD, b: HELD, c: HELD });
  });

  it("of a class that says when and how many only shows no identifier and no text", async () => {
    const columns = { a: { kind: "id" }, b: { kind: "personal" }, c: { kind: "state" } } as const;
    const row = { a: "acc_1", b: "Mara", c: "on" };
    expect(await shown(columns, row)).toEqual(row);
    expect(await shown(columns, row, undefined, "passkey ceremony")).toEqual({
      ...{ a: HELD, b: HELD },
      c: "on",
    });
    expect(await shown(columns, row, undefined, "guess count")).toEqual({});
  });

  it("of a time reads in UTC; never and not yet stay as they are", async () => {
    const columns = { a: { kind: "time" }, b: { kind: "time" }, c: { kind: "time" } } as const;
    expect(await shown(columns, { a: 1_800_000_000_000, b: 0, c: null })).toEqual({
      a: "2027-01-15T08:00:00.000Z",
      b: 0,
      c: null,
    });
  });

  it("that is sealed opens, as JSON where it is JSON, and says so when its key is gone", async () => {
    const read = (text: string | null, shows?: readonly string[]) =>
      shown({ c_sealed: sealed(shows) }, { c_sealed: "s1.x" }, sealedText(text));
    expect(await read("mara@example.org")).toEqual({ c: "mara@example.org" });
    expect(await read('{"a":[1]}')).toEqual({ c: { a: [1] } });
    expect(await read("{not json")).toEqual({ c: "{not json" });
    expect(await read(null)).toEqual({ c: UNREADABLE });
    expect(await read(null, ["a"])).toEqual({ c: UNREADABLE });
  });

  it("of a secret shows the fields that the map names, and never a secret that is no object", async () => {
    const read = (text: string) =>
      shown({ c_sealed: sealed(["name"]) }, { c_sealed: "s1.x" }, sealedText(text));
    expect(await read('{"name":"phone","key":"k"}')).toEqual({ c: { name: "phone", key: HELD } });
    expect(await read('["k"]')).toEqual({ c: HELD });
    expect(await read("k")).toEqual({ c: HELD });
  });

  it("of a secret of which nothing is shown is not opened at all", async () => {
    const open = () => Promise.reject(new Error("it was opened"));
    const row = { c_sealed: "s1.x" };
    expect(await shown({ c_sealed: sealed([]) }, row, open)).toEqual({ c: HELD });
    // Nor is one whose class says when and how many only.
    const counted = { c_sealed: { ...sealed(), class: "passkey ceremony" } as ColumnRule };
    expect(await shown(counted, row, open)).toEqual({ c: HELD });
  });
});
