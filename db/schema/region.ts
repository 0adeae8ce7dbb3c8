/**
 * One region's tables, a file for each group. Every personal row carries `account_id`, every
 * short-lived one `expires_at` (milliseconds since the epoch). A `…_sealed` column is sealed under the
 * person's key (db/seal.ts); a `…_hash` column holds a hash of a secret. Each column has its row in
 * db/data-map/region/.
 */

export * from "./region/account.ts";
export * from "./region/devices.ts";
export * from "./region/linked.ts";
export * from "./region/openid.ts";
export * from "./region/openid-device.ts";
export * from "./region/operations.ts";
export * from "./region/passkeys.ts";
export * from "./region/people.ts";
export * from "./region/recovery.ts";
export * from "./region/reports.ts";
export * from "./region/sign-in.ts";
export * from "./region/tokens.ts";
