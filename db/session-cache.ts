/**
 * Sessions that were checked a moment ago, in an isolate's memory: a page that asks for ten things at
 * once costs one query. What is remembered goes within `limits.sessionCacheMs`, so a session ended
 * elsewhere is dead here as soon (RGT-14); one ended here is dead at once, because every query that
 * ends or changes a session calls `forgetSessions`. The trade: docs/decisions/sessions.md.
 */

import { limits } from "../protocol/limits.ts";
import type { Db } from "./db.ts";

export interface CheckedSession {
  readonly id: string;
  readonly accountId: string;
  readonly seenAt: number;
  /** When its owner last showed who they are. */
  readonly confirmedAt: number;
  readonly expiresAt: number;
}

/** The sessions of one moment, by their tokens; dropped whole. */
export class SessionMemory {
  readonly #found = new Map<string, CheckedSession>();
  #since = 0;

  get(token: string, now: number): CheckedSession | null {
    if (!this.#isFresh(now)) return null;
    const found = this.#found.get(token);
    return found !== undefined && found.expiresAt > now ? found : null;
  }

  put(token: string, session: CheckedSession, now: number): void {
    if (!this.#isFresh(now) || this.#found.size >= limits.sessionCacheEntries) {
      this.#found.clear();
      this.#since = now;
    }
    this.#found.set(token, session);
  }

  #isFresh(now: number): boolean {
    return now >= this.#since && now - this.#since < limits.sessionCacheMs;
  }
}

const memories = new WeakMap<Db, SessionMemory>();

/**
 * What is remembered of a database's sessions. Take it before the query whose answer is to be put:
 * what was forgotten meanwhile is then put where nobody looks.
 */
export function sessionMemory(db: Db): SessionMemory {
  let memory = memories.get(db);
  if (memory === undefined) {
    memory = new SessionMemory();
    memories.set(db, memory);
  }
  return memory;
}

/** Forgets all sessions of a database: one of them ended or changed. */
export function forgetSessions(db: Db): void {
  memories.delete(db);
}
