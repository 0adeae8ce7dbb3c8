/**
 * Stands where `@peculiar/x509` would, in the Worker's bundle (wrangler.toml `[alias]`). A passkey's
 * attestation is neither asked for nor read, so no certificate ever is: the reader of certificates
 * would be a tenth of the bundle for code that never runs. Whatever reaches for it is refused.
 */

class NoCertificates {
  constructor() {
    throw new Error("no certificate is read here");
  }
}

export {
  NoCertificates as AuthorityKeyIdentifierExtension,
  NoCertificates as CRLDistributionPointsExtension,
  NoCertificates as SubjectKeyIdentifierExtension,
  NoCertificates as X509Certificate,
  NoCertificates as X509ChainBuilder,
  NoCertificates as X509Crl,
};
