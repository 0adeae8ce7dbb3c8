/** Argon2's compiled wasm where the runtime compiles it (`imports` of package.json, "workerd"). */

import module from "@phi-ag/argon2/argon2.wasm";

export const argon2Module = (): WebAssembly.Module => module;
