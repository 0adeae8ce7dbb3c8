/** The key store: one key a name for all who ask, and none once it is destroyed. */

import assert from "node:assert/strict";
import type { KeyName } from "../../../db/primitives.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId } from "../../../protocol/ids.ts";
import type { Cases } from "./cases.ts";

const newName = (): KeyName => `person/${newId("acc", "home", systemRandom.bytes)}`;

export const keyCases: Cases = {
  "a key is made once for all who ask at once, and stays": async ({ keys }) => {
    const name = newName();
    assert.equal(await keys.get(name), null);
    const made = await Promise.all(Array.from({ length: 8 }, () => keys.getOrCreate(name)));
    assert.equal(new Set(made.map((key) => key.join())).size, 1);
    assert.equal(made[0]?.length, 32);
    assert.deepEqual(await keys.get(name), made[0]);
  },

  "keys of two names differ": async ({ keys }) => {
    const [one, two] = [await keys.getOrCreate(newName()), await keys.getOrCreate(newName())];
    assert.notDeepEqual(one, two);
  },

  "[RET-3] a destroyed key is gone at once; the next of its name is another": async ({ keys }) => {
    const name = newName();
    const first = await keys.getOrCreate(name);
    await keys.destroy(name);
    assert.equal(await keys.get(name), null);
    await keys.destroy(name);
    assert.notDeepEqual(await keys.getOrCreate(name), first);
  },
};
