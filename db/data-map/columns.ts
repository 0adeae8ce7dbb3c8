/** The kinds of columns that most tables have. */

export const id = { kind: "id" } as const;
export const sealed = { kind: "sealed" } as const;
export const secret = { kind: "secret hash" } as const;
export const keyedHash = { kind: "keyed hash" } as const;
export const time = { kind: "time" } as const;
export const state = { kind: "state" } as const;
