/**
 * One object per (kind, subject): counts tries where every isolate sees them. An idle object is
 * evicted within seconds, so the times are kept on its disk until their window ends and then dropped
 * whole. Who tried stands nowhere: the object's name is a keyed hash, its rows are times.
 */

import { DurableObject } from "cloudflare:workers";
import { systemClock } from "../platform.ts";
import { Window } from "./window.ts";

export class LimiterObject extends DurableObject {
  #window: Window | null = null;

  async take(max: number, windowMs: number): Promise<boolean> {
    const now = systemClock.now();
    const { sql } = this.ctx.storage;
    this.#window ??= this.#remembered();
    if (!this.#window.take(max, windowMs, now)) return false;
    sql.exec("CREATE TABLE IF NOT EXISTS try (at INTEGER NOT NULL)");
    sql.exec("DELETE FROM try WHERE at <= ?", now - windowMs);
    sql.exec("INSERT INTO try (at) VALUES (?)", now);
    // The last try decides when nothing is left to remember.
    await this.ctx.storage.setAlarm(now + windowMs);
    return true;
  }

  override async alarm(): Promise<void> {
    this.#window = null;
    await this.ctx.storage.deleteAll();
  }

  #remembered(): Window {
    const { sql } = this.ctx.storage;
    const known = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'try'").toArray().length > 0;
    const rows = known ? sql.exec<{ at: number }>("SELECT at FROM try ORDER BY at").toArray() : [];
    return new Window(rows.map((row) => row.at));
  }
}
