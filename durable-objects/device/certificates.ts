/**
 * Certificates of the device's name: what proves to an authority that the name is the device's (TXT
 * values at `_acme-challenge.<name>`), and what the order service keeps of an order, of the last certificate
 * and of those before it that count. The key is on the box and never comes here.
 *
 * Sealed under the key of the name, with which it goes (FEA-4). Whoever changes something takes turns.
 */

import type { Sealer } from "../../db/seal.ts";
import type { RecordSet } from "../../protocol/dns/sets.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url } from "../../protocol/tokens.ts";
import type { CertificateState, ProofChange } from "./certificate-rpc.ts";
import type { DeviceContext } from "./context.ts";
import type { SetProvider } from "./published.ts";

interface Proof {
  readonly id: string;
  readonly value: string;
  /** The one name of the device that it proves; null: all of them. */
  readonly label: string | null;
  readonly rolling: boolean;
  readonly expiresAt: number;
}

interface ProofRow extends Record<string, string | number> {
  id: string;
  rolling: number;
  value_sealed: string;
  expires_at: number;
}

export const nothing: CertificateState = {
  ...{ revision: 0, current: null, earlier: [], order: null, caa: null },
};

export class Certificates implements SetProvider {
  readonly #context: DeviceContext;
  readonly #sealer: Sealer;
  readonly #isOn: () => boolean;
  readonly #mark: () => void;
  /** Opened once a wake; null until then. */
  #proofs: readonly Proof[] | null = null;
  #state: CertificateState | null = null;
  /** Grows with each change, so that a slow reader keeps nothing old. */
  #epoch = 0;

  /**
   * @param isOn whether the name is on at this moment; whatever awaits asks again after
   * @param mark notes, in the transaction of a change, that what is published changes
   */
  constructor(context: DeviceContext, sealer: Sealer, isOn: () => boolean, mark: () => void) {
    this.#mark = mark;
    this.#context = context;
    this.#sealer = sealer;
    this.#isOn = isOn;
  }

  /** What DNS shows of them at one of the device's names: the values at `_acme-challenge`, and who may certify the name (CAA). */
  async sets(label: string): Promise<readonly RecordSet[]> {
    const { proofTtlSeconds, addressTtlSeconds } = limits;
    const [proofs, { caa }] = [await this.proofs(label), await this.read()];
    const data = proofs.map((value) => ({ type: "TXT" as const, texts: [value] }));
    const only = { type: "CAA" as const, flags: 0, tag: "issue", value: caa ?? "" };
    return [
      ...(data.length === 0 ? [] : [proofSet(data, proofTtlSeconds)]),
      ...(caa === null ? [] : [caaSet([only], addressTtlSeconds)]),
    ];
  }

  /** The values that stand in DNS now, the oldest first. @param at the name; absent: any */
  async proofs(at?: string): Promise<readonly string[]> {
    const now = this.#context.clock.now();
    return (await this.#opened())
      .filter(({ expiresAt }) => expiresAt > now)
      .filter(({ label }) => at === undefined || label === null || label === at)
      .map((one) => one.value);
  }

  /** Changes the values; one that is there already begins its time anew. */
  async prove({ put, remove, rolling = false, ...change }: ProofChange): Promise<void> {
    const label = change.label ?? null;
    const before = await this.#opened();
    if (!this.#isOn()) return;
    const { sql, clock, random } = this.#context;
    const now = clock.now();
    const gone = before.filter(
      (proof) =>
        proof.expiresAt <= now ||
        (proof.label === label && (proof.value === remove || proof.value === put)),
    );
    const kept = before.filter((proof) => !gone.includes(proof));
    let added: Proof | null = null;
    let sealed = "";
    if (put !== undefined) {
      const id = base64url(random.bytes(12));
      added = { id, value: put, label, rolling, expiresAt: now + limits.proofMs };
      const text = label === null ? put : `${put} ${label}`;
      sealed = await this.#sealer.seal(this.#key(), `acme_proof.value:${id}`, text);
      gone.push(...tooMany(kept, added));
    }
    if (!this.#isOn()) return;
    sql.transaction(() => {
      this.#mark();
      for (const { id } of gone) sql.run("DELETE FROM acme_proof WHERE id = ?", id);
      if (added === null) return;
      sql.run(
        "INSERT INTO acme_proof (id, rolling, value_sealed, expires_at) VALUES (?, ?, ?, ?)",
        ...[added.id, rolling ? 1 : 0, sealed, added.expiresAt],
      );
    });
    this.#epoch++;
    const left = kept.filter((proof) => !gone.includes(proof));
    this.#proofs = added === null ? left : [...left, added];
  }

  async read(): Promise<CertificateState> {
    const now = this.#context.clock.now();
    if (this.#state !== null) return countingAt(this.#state, now);
    const epoch = this.#epoch;
    const query = "SELECT record_sealed FROM certificate";
    const [row] = this.#isOn() ? this.#context.sql.all<{ record_sealed: string }>(query) : [];
    const text =
      row === undefined
        ? null
        : await this.#sealer.open(this.#key(), "certificate.record", row.record_sealed);
    const state = text === null ? nothing : (JSON.parse(text) as CertificateState);
    if (epoch === this.#epoch) this.#state = state;
    return countingAt(state, now);
  }

  /** False when the stored state is not the one that `state` was made of. */
  async write(state: CertificateState): Promise<boolean> {
    const before = await this.read();
    if (before.revision !== state.revision) return false;
    const next = { ...state, revision: state.revision + 1 };
    const text = JSON.stringify(next);
    const sealed = await this.#sealer.seal(this.#key(), "certificate.record", text);
    if (!this.#isOn()) return false;
    const { sql } = this.#context;
    sql.transaction(() => {
      if (before.caa !== next.caa) this.#mark();
      const until = Math.min(...next.earlier.map(({ notAfter }) => notAfter));
      sql.run(
        `INSERT INTO certificate (row, record_sealed, earlier_until) VALUES (1, ?, ?)
         ON CONFLICT (row) DO UPDATE SET record_sealed = excluded.record_sealed,
           earlier_until = excluded.earlier_until`,
        ...[sealed, Number.isFinite(until) ? until : null],
      );
    });
    this.#epoch++;
    this.#state = next;
    return true;
  }

  /**
   * Gives up the order under way if it is for one of the device's names `labels`, or all below one.
   * @param isOver whether they are not ours any more; else an order that may be certified just now stays
   * @returns false when it stays
   */
  async forgetOrderOf(labels: readonly string[], isOver = true): Promise<boolean> {
    const state = await this.read();
    const { order } = state;
    // Another domain may begin with the same word, and is none of ours.
    const gone = labels.map((label) => `${label}.${this.#context.signing?.apex}`);
    const isGone = (name: string) => gone.includes(name.replace(/^\*\./, ""));
    if (!order?.names.some(isGone)) return true;
    if (!isOver && order.step === "checking") return false;
    await this.write({ ...state, order: null });
    return true;
  }

  /** Takes away what programs of the box's own put at one of its names. @returns whether there was any */
  async unprove(label: string): Promise<boolean> {
    const gone = (await this.#opened()).filter((proof) => proof.label === label);
    if (gone.length === 0 || !this.#isOn()) return false;
    const { sql } = this.#context;
    sql.transaction(() => {
      this.#mark();
      for (const { id } of gone) sql.run("DELETE FROM acme_proof WHERE id = ?", id);
    });
    this.#epoch++;
    this.#proofs = this.#proofs?.filter((proof) => !gone.includes(proof)) ?? null;
    return true;
  }

  clear(): void {
    this.#context.sql.run("DELETE FROM acme_proof");
    this.#context.sql.run("DELETE FROM certificate");
    this.forgetMemory();
  }

  forgetMemory(): void {
    this.#epoch++;
    this.#proofs = null;
    this.#state = null;
  }

  /** When the next value goes, or a certificate that another took the place of; null when nothing does. */
  nextExpiry(): number | null {
    const query = "SELECT earlier_until AS at FROM certificate";
    const earlier = this.#context.sql.all<{ at: number | null }>(query)[0]?.at ?? null;
    const times = [this.#nextProof(), earlier].filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  #nextProof(): number | null {
    const query = "SELECT min(expires_at) AS at FROM acme_proof";
    return this.#context.sql.all<{ at: number | null }>(query)[0]?.at ?? null;
  }

  /** Forgets the certificates before the last that are over. */
  async sweepEarlier(): Promise<void> {
    const { sql, clock } = this.#context;
    const query = "SELECT 1 FROM certificate WHERE earlier_until <= ?";
    if (sql.all(query, clock.now()).length > 0) await this.write(await this.read());
  }

  /** Forgets the values whose time has come. */
  sweep(): void {
    const { sql, clock } = this.#context;
    const now = clock.now();
    if ((this.#nextProof() ?? Infinity) > now) return;
    sql.transaction(() => {
      this.#mark();
      sql.run("DELETE FROM acme_proof WHERE expires_at <= ?", now);
    });
    this.#epoch++;
    this.#proofs = this.#proofs?.filter(({ expiresAt }) => expiresAt > now) ?? null;
  }

  async #opened(): Promise<readonly Proof[]> {
    if (this.#proofs !== null) return this.#proofs;
    const epoch = this.#epoch;
    const query = "SELECT * FROM acme_proof ORDER BY expires_at, rowid";
    const rows = this.#isOn() ? this.#context.sql.all<ProofRow>(query) : [];
    const opened = await Promise.all(
      rows.map(async (row) => {
        const at = `acme_proof.value:${row.id}`;
        const text = await this.#sealer.open(this.#key(), at, row.value_sealed);
        if (text === null) return null;
        const [value = "", label = null] = text.split(" ");
        return { id: row.id, value, label, rolling: row.rolling === 1, expiresAt: row.expires_at };
      }),
    );
    const proofs = opened.filter((proof) => proof !== null);
    if (epoch === this.#epoch) this.#proofs = proofs;
    return proofs;
  }

  #key(): `feature/${string}/name` {
    return `feature/${this.#context.deviceId}/name`;
  }
}

/** Without the earlier ones that are over. */
const countingAt = (state: CertificateState, now: number): CertificateState => ({
  ...state,
  earlier: state.earlier.filter(({ notAfter }) => notAfter > now),
});

const proofSet = (data: RecordSet["data"], ttl: number): RecordSet => ({
  ...{ owner: "_acme-challenge", type: "TXT", ttl, data },
});
const caaSet = (data: RecordSet["data"], ttl: number): RecordSet => ({
  ...{ owner: "", type: "CAA", ttl, data },
});

/** Of those that stay, what makes way for one more: the oldest. */
function tooMany(kept: readonly Proof[], { rolling, label }: Proof): Proof[] {
  const alike = rolling ? kept.filter((proof) => proof.rolling && proof.label === label) : [];
  const turned = alike.slice(0, Math.max(0, alike.length + 1 - limits.proofsRolling));
  const others = kept.filter((proof) => !turned.includes(proof));
  return [...turned, ...others.slice(0, Math.max(0, others.length + 1 - limits.proofsPerDevice))];
}
