/**
 * The device as an OpenID client: what it said of its own web page. The client is there as long as the
 * device is, so it needs no record of its own before the device says something.
 */

import type { ObjectSql } from "./context.ts";
import type { RegistrationRow } from "./registration.ts";
import type { OpenidDevice, OpenidSettings } from "./rpc.ts";

interface OpenidRow extends Record<string, string> {
  auth: OpenidSettings["auth"];
  /** JSON list. */
  paths: string;
}

/** What stands in the store, or what holds before anything does. */
export function readOpenid(sql: ObjectSql, registration: RegistrationRow): OpenidDevice {
  const [row] = sql.all<OpenidRow>("SELECT auth, paths FROM openid_client");
  return {
    label: registration.label,
    publicKey: registration.public_key,
    auth: row?.auth ?? "none",
    paths: row === undefined ? [] : (JSON.parse(row.paths) as string[]),
  };
}

/** The newest word counts, whole. */
export function writeOpenid(sql: ObjectSql, { auth, paths }: OpenidSettings): void {
  sql.run(
    `INSERT INTO openid_client (row, auth, paths) VALUES (1, ?, ?)
     ON CONFLICT (row) DO UPDATE SET auth = excluded.auth, paths = excluded.paths`,
    auth,
    JSON.stringify(paths),
  );
}
