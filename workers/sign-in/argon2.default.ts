/** Argon2's wasm read from its package, for runtimes that import no wasm: Node and Deno. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

export const argon2Module = (): WebAssembly.Module =>
  new WebAssembly.Module(
    readFileSync(createRequire(import.meta.url).resolve("@phi-ag/argon2/argon2.wasm")),
  );
