/**
 * Password hashes: argon2id with OWASP's parameters, over the wasm build of `@phi-ag/argon2`.
 *
 * Its own wrapper is not used: it passes a password's length in UTF-16 units where the C function
 * wants bytes, so that all but the first letters of a password outside ASCII would be ignored.
 */

import { argon2Module } from "#argon2";

/** OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane. */
export const argon2Parameters = { memoryKib: 19_456, passes: 2, lanes: 1 } as const;

const SALT_BYTES = 16;
const HASH_BYTES = 32;
const ARGON2ID = 2;
const VERSION_13 = 0x13;
/** Returned by `argon2_verify` when the password is another one (argon2.h, ARGON2_VERIFY_MISMATCH). */
const VERIFY_MISMATCH = -35;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  _initialize(): void;
  malloc(bytes: number): number;
  free(pointer: number): void;
  argon2_encodedlen(...parameters: readonly number[]): number;
  argon2_hash(...parameters: readonly number[]): number;
  argon2_verify(encoded: number, password: number, length: number, type: number): number;
}

let instance: Exports | null = null;

function argon2(): Exports {
  if (instance === null) {
    instance = new WebAssembly.Instance(argon2Module()).exports as unknown as Exports;
    instance._initialize();
  }
  return instance;
}

/**
 * Hashes a password (about 40 ms of processor time).
 * @param random makes the salt
 * @returns a PHC string, `$argon2id$v=19$m=19456,t=2,p=1$…`
 */
export function hashPassword(password: string, random: (count: number) => Uint8Array): string {
  const { memoryKib, passes, lanes } = argon2Parameters;
  const wasm = argon2();
  const costs = [passes, memoryKib, lanes] as const;
  const length = wasm.argon2_encodedlen(...costs, SALT_BYTES, HASH_BYTES, ARGON2ID);
  const bytes = new TextEncoder().encode(password);
  return withMemory(wasm, [bytes, random(SALT_BYTES), HASH_BYTES, length], (at) => {
    const [pass, salt, hash, encoded] = at as [number, number, number, number];
    const code = wasm.argon2_hash(
      ...costs,
      ...[pass, bytes.length, salt, SALT_BYTES, hash, HASH_BYTES],
      ...[encoded, length, ARGON2ID, VERSION_13],
    );
    if (code !== 0) throw new Error(`argon2 failed with ${code}`);
    return new TextDecoder().decode(new Uint8Array(wasm.memory.buffer, encoded, length - 1));
  });
}

/** True when `password` is the one that `phc` was made of; compares in constant time. */
export function verifyPassword(phc: string, password: string): boolean {
  const wasm = argon2();
  const bytes = new TextEncoder().encode(password);
  return withMemory(wasm, [new TextEncoder().encode(`${phc}\0`), bytes], (at) => {
    const [encoded, pass] = at as [number, number];
    const code = wasm.argon2_verify(encoded, pass, bytes.length, ARGON2ID);
    if (code !== 0 && code !== VERIFY_MISMATCH) throw new Error(`argon2 failed with ${code}`);
    return code === 0;
  });
}

/** Lends wasm memory, filled with the given bytes or of the given size, and wipes it afterwards. */
function withMemory<T>(
  wasm: Exports,
  parts: readonly (Uint8Array | number)[],
  use: (pointers: number[]) => T,
): T {
  const sizes = parts.map((part) => (typeof part === "number" ? part : part.length));
  const pointers = sizes.map((size) => wasm.malloc(Math.max(size, 1)));
  try {
    parts.forEach((part, index) => {
      if (typeof part === "number") return;
      new Uint8Array(wasm.memory.buffer).set(part, pointers[index]);
    });
    return use(pointers);
  } finally {
    pointers.forEach((pointer, index) => {
      new Uint8Array(wasm.memory.buffer, pointer, sizes[index]).fill(0);
      wasm.free(pointer);
    });
  }
}
