/**
 * Leaves out of the bundle what the passkey library has for attestation: a passkey's is neither asked
 * for nor read (workers/sign-in/webauthn-library.ts), so no certificate ever is. The readers of ASN.1
 * and of certificates would be a fifth of all code, for what never runs; whatever reaches for them is
 * refused.
 */

import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Plugin } from "esbuild";

/** Files of the library that each export the function they are named after. */
const UNUSED =
  /@simplewebauthn\/server\/esm\/.*\/(?:verifyAttestation\w+|convertX509PublicKeyToCOSE|getCertificateInfo|isCertRevoked|mapX509SignatureAlgToCOSEAlg|validateCertificatePath|validateExtFIDOGenCEAAGUID|verifyMDSBlob)\.js$/;

/** Certificates of the makers of keys, as constants. */
const ROOTS = /@simplewebauthn\/server\/esm\/services\/defaultRootCerts\/[\w-]+\.js$/;

export const withoutAttestation: Plugin = {
  name: "without-attestation",
  setup({ onLoad, onResolve }) {
    onLoad({ filter: UNUSED }, ({ path }) => ({
      contents: `export function ${basename(path, ".js")}() { throw new Error("attestation is not read here"); }`,
    }));
    onLoad({ filter: ROOTS }, async ({ path }) => {
      const names = (await readFile(path, "utf8")).matchAll(/^export const (\w+)/gm);
      return { contents: [...names].map(([, name]) => `export const ${name} = "";`).join("\n") };
    });
    onResolve({ filter: /^@peculiar\/asn1-(?:schema|ecc)$/ }, () => ({
      path: join(import.meta.dirname, "../../workers/sign-in/ecdsa-signature.ts"),
    }));
  },
};
