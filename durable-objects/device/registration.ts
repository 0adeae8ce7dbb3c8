/** The device's registration: who it is and whose. Without one there is no device, only an empty store. */

import type { DeviceContext } from "./context.ts";
import { isRegistered, migrate } from "./migrations.ts";
import type { Registration } from "./rpc.ts";

export interface RegistrationRow extends Record<string, string | number> {
  device_id: string;
  account_id: string;
  public_key: string;
  label: string;
  /** Since when it is the device's. */
  label_since: number;
  created_at: number;
}

export class RegistrationRecord {
  readonly #context: DeviceContext;
  #stands: boolean;
  /** The row as it is: every visit asks, few things ever change it. */
  #known: RegistrationRow | null = null;

  constructor(context: DeviceContext) {
    this.#context = context;
    this.#stands = isRegistered(context.sql);
    if (this.#stands) migrate(context.sql);
  }

  /** False before the device is registered, and from the moment on that it is unregistered. */
  get stands(): boolean {
    return this.#stands;
  }

  row(): RegistrationRow | null {
    if (!this.#stands) return null;
    this.#known ??= this.#context.sql.all<RegistrationRow>("SELECT * FROM registration")[0] ?? null;
    return this.#known;
  }

  /** Registers the device; one that is registered stays as it is. */
  begin(registration: Registration): void {
    const { sql, clock, deviceId } = this.#context;
    if (registration.deviceId !== deviceId) throw new Error("not this device's object");
    migrate(sql);
    this.#stands = true;
    this.forgetMemory();
    sql.run(
      `INSERT INTO registration (device_id, account_id, public_key, label, label_since, created_at)
       VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      registration.deviceId,
      registration.accountId,
      registration.publicKey,
      registration.label,
      ...[clock.now(), clock.now()],
    );
  }

  /** Calls the device by another name. @param since when that became the device's */
  rename(label: string, since: number): void {
    this.#context.sql.run("UPDATE registration SET label = ?, label_since = ?", label, since);
    this.forgetMemory();
  }

  /** From now on there is no device; its store is dropped next. */
  end(): void {
    this.#stands = false;
    this.forgetMemory();
  }

  /** Reads the row again next time. */
  forgetMemory(): void {
    this.#known = null;
  }
}
