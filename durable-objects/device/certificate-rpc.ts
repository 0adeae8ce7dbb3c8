/** What the edge may ask of a device's object about certificates (docs/certificates.md). */

/** One certificate of the device's name, ordered by us for the device's own key. */
export interface Certificate {
  /** PEM, the leaf first. */
  readonly chain: string;
  readonly names: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
  /** What asks for its renewal information (RFC 9773 §4.1). */
  readonly renewalId: string | null;
  /** When the device should come with a new request, ms since the epoch. */
  readonly renewAt: number;
  /** When the authority is asked again about that. */
  readonly askAt: number;
  readonly revokedAt: number | null;
  /** When the authority refused for good to revoke it; absent: it did not. It counts until its end. */
  readonly refusedAt?: number;
}

/** One that another took the place of, and that counts until its end all the same. */
export interface EarlierCertificate {
  /** The certificate itself, base64url of DER: what revokes it (RFC 8555 §7.6). */
  readonly leaf: string;
  readonly names: readonly string[];
  readonly notAfter: number;
  /** As of `Certificate`. */
  readonly refusedAt?: number;
}

/**
 * An order under way. Its next step is told by what stands here:
 * - `waiting`: nothing is at the authority yet
 * - `proving`: what proves the name is in DNS, and not yet asked to be looked at
 * - `checking`: the authority looks, or issues
 * - `failed`: it refused for good
 */
export interface CertificateOrder {
  readonly step: "waiting" | "proving" | "checking" | "failed";
  /** PKCS #10, base64url of DER. */
  readonly request: string;
  readonly names: readonly string[];
  readonly askedAt: number;
  /** Renews this one by its renewal id, which spares the authority's limits (RFC 9773 §5). */
  readonly replaces: string | null;
  /** The order at the authority, once there is one. */
  readonly url: string | null;
  /** Challenges that are to be answered, once DNS shows what they need. */
  readonly challenges: readonly string[];
  /** What was put into DNS for them. */
  readonly proofs: readonly string[];
  /** Nothing is done before; ms since the epoch. */
  readonly dueAt: number;
  readonly failures: number;
  /** What went wrong last, in the authority's words; null when nothing did. */
  readonly problem: string | null;
}

/** All that is kept of a device's certificates: the last one, those before it that count, and an order under way. */
export interface CertificateState {
  /** Grows with each change; a change that was made of an older state is not kept. */
  readonly revision: number;
  readonly current: Certificate | null;
  /** Neither over nor revoked, the oldest first. */
  readonly earlier: readonly EarlierCertificate[];
  readonly order: CertificateOrder | null;
  /** The one authority and account that may certify the name (RFC 8659, RFC 8657); null: any. */
  readonly caa: string | null;
}

/** A change of what stands at `_acme-challenge.<name>`. */
export interface ProofChange {
  readonly put?: string;
  readonly remove?: string;
  /** Of the two that were put last, as acme-dns keeps them; others end by a removal, or by time. */
  readonly rolling?: boolean;
  /** The one name that is proved; absent: all of the device's. */
  readonly label?: string;
}

export interface CertificateRpc {
  /** What is kept of its certificates; null while the name is off and for a device that is gone. */
  certificate(): Promise<CertificateState | null>;
  /** Keeps a state that was made of the stored one; false when that changed meanwhile, or the name is off. */
  setCertificate(state: CertificateState): Promise<boolean>;
  /**
   * Changes what proves the name to an authority; false while the name is off, and to prove a name that is
   * about to be another device's. Idempotent.
   */
  prove(change: ProofChange): Promise<boolean>;
}
