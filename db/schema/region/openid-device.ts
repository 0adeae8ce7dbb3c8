/** Sign-ins that a program without a browser asked for (RFC 8628) and that nobody answered yet. */

import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** It names no person: what somebody allowed becomes a row of `oauth_code` with the same hash. */
export const oauthDeviceCode = sqliteTable(
  "oauth_device_code",
  {
    codeHash: text("code_hash").primaryKey(),
    /** Keyed hash of what the device shows; a random one once it was answered. */
    userCodeHash: text("user_code_hash").notNull().unique(),
    clientId: text("client_id").notNull(),
    /** What the program asks for, separated by spaces. */
    scope: text().notNull(),
    polledAt: integer("polled_at").notNull(),
    intervalMs: integer("interval_ms").notNull(),
    /** When somebody said no. */
    deniedAt: integer("denied_at"),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("oauth_device_code_client").on(table.clientId),
    index("oauth_device_code_expires_at").on(table.expiresAt),
  ],
);
