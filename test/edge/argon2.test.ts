/** The wasm that workerd compiles gives the digests that Node gives. */

import { expect, it } from "vitest";
import { hashPassword, verifyPassword } from "../../workers/sign-in/argon2.ts";

it("hashes inside workerd as Node does", () => {
  // Made by Node: argon2Sync("argon2id", { message: "пароль-пароль", nonce: 16 bytes of 7, … })
  const phc = hashPassword("пароль-пароль", (count) => new Uint8Array(count).fill(7));
  expect(phc).toBe(
    "$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$hE0sfLB8VwcY0/ZtOhpWA/RcdKO3C1qjVwD68FN8Uw4",
  );
  expect(verifyPassword(phc, "пароль-пароль")).toBe(true);
});
