/** A device as it is registered straight at the stores (workers/planter.ts). */
export interface Planted {
  readonly deviceId: string;
  /** Ed25519, base64url. */
  readonly publicKey: string;
}
