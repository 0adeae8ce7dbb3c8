/**
 * Certificates, as the edge asks for them. What each call means stands in certificates.ts; here it meets
 * the device around it: changes take turns with the name's end, and whoever looks on is told.
 */

import type { CertificateRpc, CertificateState, ProofChange } from "./certificate-rpc.ts";
import type { Certificates } from "./certificates.ts";

interface House {
  readonly isOn: () => boolean;
  /** Whether all of them may be certified: names of the zone that are not the device's may not. */
  readonly mayOrder: (names: readonly string[]) => boolean;
  /** Whether a program of the box's own may prove this one of its names. */
  readonly mayProve: (label: string) => boolean;
  /** Runs after what is under way, and before what comes. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Tells whoever watches. */
  readonly changed: () => Promise<unknown>;
}

export class Certifying implements CertificateRpc {
  readonly #certificates: Certificates;
  readonly #house: House;

  constructor(certificates: Certificates, house: House) {
    this.#certificates = certificates;
    this.#house = house;
  }

  async certificate(): Promise<CertificateState | null> {
    return this.#house.isOn() ? await this.#certificates.read() : null;
  }

  async setCertificate(state: CertificateState): Promise<boolean> {
    const { inTurn, isOn, mayOrder, changed } = this.#house;
    return await inTurn(async () => {
      // Whoever asks read whose the names are a moment ago: one may have ended, or be on its way.
      if (state.order?.step === "waiting" && !mayOrder(state.order.names)) return false;
      if (!isOn() || !(await this.#certificates.write(state))) return false;
      await changed();
      return true;
    });
  }

  async prove(change: ProofChange): Promise<boolean> {
    const { inTurn, isOn, mayProve, changed } = this.#house;
    return await inTurn(async () => {
      if (!isOn()) return false;
      // It may be on its way to somebody else since the token was looked at.
      if (change.put !== undefined && change.label !== undefined && !mayProve(change.label))
        return false;
      await this.#certificates.prove(change);
      await changed();
      return isOn();
    });
  }
}
