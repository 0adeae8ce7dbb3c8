/** Every problem this service reports (RFC 9457), in one exhaustive table; unknown errors leak nothing. */

export const problems = {
  "bad-request": { status: 400, title: "The request is not understood" },
  "unknown-field": { status: 400, title: "The request has a field that is not known" },
  "not-signed-in": { status: 401, title: "Sign in first" },
  "bad-credentials": { status: 401, title: "The address or the password is not right" },
  "passkey-refused": {
    status: 401,
    title: "This passkey did not work here; try again, or show in another way who you are",
  },
  "confirm-first": { status: 403, title: "Show again who you are before you change this" },
  "second-step-wrong": { status: 401, title: "This code is not right, or was used before" },
  "sign-in-expired": { status: 410, title: "This sign-in took too long; begin again" },
  "too-young": { status: 403, title: "You are too young to have an account without a guardian" },
  "cross-site": { status: 403, title: "This request did not come from a page of ours" },
  forbidden: { status: 403, title: "You may not do this" },
  "scope-missing": { status: 403, title: "This token may not do that" },
  "not-found": { status: 404, title: "There is nothing here" },
  "method-not-allowed": { status: 405, title: "This address does not take that method" },
  "request-timeout": { status: 408, title: "The request stopped before it was complete" },
  "agents-full": {
    status: 409,
    title: "As many programs of this device are connected as may be; stop one of them",
  },
  "agent-older": { status: 409, title: "This program has a newer connection already" },
  "device-gone": { status: 410, title: "This device is not registered any more" },
  "no-authority": {
    status: 409,
    title:
      "Nobody certifies names for us here; let your box order for itself (docs/certificates.md)",
  },
  "revocation-refused": {
    status: 409,
    title: "The authority refuses to revoke this certificate; it counts until its end",
  },
  "certificate-request": {
    status: 422,
    title: "This is not a request for names of this device, by a key that authorities certify",
  },
  "proof-syntax": {
    status: 422,
    title: "This is no value that an authority looks for in DNS",
  },
  "no-resolver": {
    status: 409,
    title: "Nobody looks at domains here: the operator named no resolver (docs/name.md)",
  },
  "domain-syntax": {
    status: 422,
    title: "This is no domain; write it whole, such as cloud.example.org",
  },
  "domain-ours": {
    status: 422,
    title: "This is a name of this service; a domain of yours is one that you registered",
  },
  "domain-yours": { status: 409, title: "This domain is here already" },
  "zone-key-waits": {
    status: 409,
    title: "The zone's key cannot be replaced yet, or nothing is being replaced; ask for its state",
  },
  "record-owner": {
    status: 422,
    title:
      "A record of this kind cannot stand there: plain words, no wildcard; _acme-challenge is for certificate programs",
  },
  "record-caa": {
    status: 422,
    title: 'This is no CAA record; write one as 0 issue "ca.example"',
  },
  "record-service": {
    status: 422,
    title: "This is no such record; write one as 1 . alpn=h2,h3 port=8443, without address hints",
  },
  "record-text": {
    status: 422,
    title: "This is no text that can be shown; plain ASCII, quotes closed",
  },
  "record-set": {
    status: 422,
    title: "These cannot stand together: each once, an alias alone, 800 bytes in all",
  },
  "records-large": {
    status: 422,
    title:
      "All of it together would be too much for DNS; write less, or at fewer names while the wildcard is on",
  },
  "interface-unfit": {
    status: 422,
    title: "This is no IPv6 address with an interface in its second half",
  },
  "label-taken": { status: 409, title: "This name is taken or was given up lately" },
  "label-yours": { status: 409, title: "This name is this device's already" },
  "name-last": { status: 409, title: "This is the device's only name; give it another first" },
  "name-primary": {
    status: 409,
    title: "The device is called by this name; call it by another of its names first",
  },
  "not-contact": {
    status: 422,
    title: "You are no contacts; both of you must agree to that first",
  },
  "names-held": {
    status: 409,
    title: "You gave up many names lately; some must be free for others before you take more",
  },
  "path-unclear": {
    status: 422,
    title:
      "This is not a path of this device that reads the same everywhere: it begins with /, has no ? and no unusual signs",
  },
  "label-syntax": {
    status: 422,
    title:
      "A name has 3 to 63 letters a–z, digits or hyphens, and starts and ends without a hyphen",
  },
  "label-reserved": { status: 422, title: "This name is reserved" },
  "contact-taken": {
    status: 409,
    title: "This address belongs to an account by now; sign in instead",
  },
  "second-step-on": { status: 409, title: "This second step is on already; switch it off first" },
  "second-step-off": { status: 409, title: "There is no second step; switch one on first" },
  "set-up-expired": { status: 410, title: "This took too long; begin again" },
  "feature-off": { status: 409, title: "This feature is off; switch it on first" },
  "link-expired": { status: 410, title: "This link was used or is too old; ask for a new one" },
  "code-expired": { status: 410, title: "This code is wrong or too old" },
  "media-type": { status: 415, title: "This address does not take that kind of content" },
  "body-too-large": { status: 413, title: "The request is too large" },
  "uri-too-long": { status: 414, title: "The address is too long" },
  "upgrade-required": { status: 426, title: "This address takes WebSockets only" },
  "code-wrong": { status: 422, title: "This code is not right" },
  "phone-unsupported": {
    status: 422,
    title: "Text messages cannot be sent from here; give an e-mail address",
  },
  "password-weak": { status: 422, title: "This password is too short or too common" },
  "password-differs": { status: 422, title: "This is not the password you chose" },
  "address-syntax": { status: 422, title: "This is not an e-mail address or phone number" },
  "password-breached": { status: 422, title: "This password is known from a breach elsewhere" },
  "address-yours": { status: 409, title: "This address is yours already" },
  "address-last": { status: 409, title: "This is your last address; add another first" },
  "address-primary": {
    status: 409,
    title: "Notices go to this address; let them go to another first",
  },
  "address-in-use": {
    status: 409,
    title: "The codes of your second step go to this number; switch that off or to another first",
  },
  "last-way-in": {
    status: 409,
    title: "This is the last way into your account; add another first",
  },
  "age-missing": { status: 422, title: "Say how old you are, in whole years" },
  "id-syntax": { status: 422, title: "This is not a Latchkey ID" },
  "own-id": { status: 422, title: "This is your own Latchkey ID" },
  "blocked-by-you": { status: 409, title: "You blocked this person; unblock them first" },
  "profile-syntax": {
    status: 422,
    title: "This is empty, too long, or has characters that cannot be shown",
  },
  "photo-syntax": { status: 422, title: "This is not a whole PNG, JPEG or WebP picture" },
  "photo-too-large": { status: 413, title: "This picture is too large" },
  "elsewhere-expired": {
    status: 410,
    title: "This browser is not on its way from the other provider; begin again",
  },
  "provider-declined": {
    status: 403,
    title: "The sign-in at the other provider was not finished",
  },
  "provider-answer": {
    status: 400,
    title: "What came back from the other provider is not right; begin again",
  },
  "provider-unavailable": {
    status: 503,
    title: "The other provider does not answer right now; try again",
  },
  "identity-taken": {
    status: 409,
    title: "This account elsewhere is linked to another account here",
  },
  "identity-differs": {
    status: 403,
    title: "This is not the account elsewhere that belongs here",
  },
  "region-unknown": { status: 422, title: "This region is not offered" },
  "too-many": { status: 422, title: "You have as many of these as you can have" },
  "visitor-budget": {
    status: 429,
    title: "You asked for more than one visitor may; wait a little",
  },
  "device-budget": { status: 503, title: "This device has reached its limit; come again later" },
  "too-many-tries": { status: 429, title: "Too many tries; wait a little" },
  "sms-failed": { status: 503, title: "The text message could not be sent; try again in a minute" },
  "mail-failed": { status: 503, title: "The mail could not be sent; try again in a minute" },
  "upload-too-large": {
    status: 413,
    title: "This is more than one request can carry through this door",
  },
  "upgrade-unsupported": {
    status: 501,
    title: "This device's program does not pass WebSockets on",
  },
  "service-unreachable": { status: 502, title: "Nothing answers at this service of the device" },
  "tunnel-gone": { status: 410, title: "The device does not keep this tunnel any more" },
  "device-failed": { status: 502, title: "The device did not answer as it should; try again" },
  "device-offline": { status: 503, title: "The device is not connected right now" },
  "asker-elsewhere": {
    status: 409,
    title: "You do not ask from the device's own public address, and no other is ever tried",
  },
  "device-busy": { status: 503, title: "The device has too much to do right now; try again" },
  "device-timeout": { status: 504, title: "The device took too long to answer" },
  "share-period": {
    status: 422,
    title: "A share ends some time from now, in 90 days at the latest",
  },
  "share-password": { status: 422, title: "A link's password has 4 to 128 characters" },
  "share-refused": {
    status: 403,
    title: "This link leads nowhere any more, or the password is not right",
  },
  "door-not-closed": { status: 409, title: "This door is not closed by the operator" },
  "door-unknown": { status: 422, title: "There is no open door of this name" },
  "name-token-wrong": {
    status: 401,
    title: "This is no token of that name, or it does not work for this or from here",
  },
  "address-unfit": {
    status: 422,
    title: "No public name may show this, or it is no address of that kind",
  },
  "too-many-changes": { status: 429, title: "This name changed too often; wait a little" },
  "name-flood": {
    status: 403,
    title: "This client asks far too often; the name's owner must look first",
  },
  "report-words": { status: 422, title: "Say in 1 to 1000 characters what is wrong" },
  "report-enough": {
    status: 409,
    title: "Many have reported this page already, and it is going to be looked at",
  },
  "report-decided": { status: 409, title: "The door was closed for this report" },
  "door-closed": { status: 403, title: "The operator closed this door" },
  "first-page": { status: 403, title: "A browser is asked first whether it wants this page" },
  unavailable: { status: 503, title: "This part is not available right now; try again" },
  internal: { status: 500, title: "Something went wrong on our side" },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof problems;

/** A refusal on its way to the front door, where http.ts turns it into problem+json or a page. */
export class Problem extends Error {
  readonly code: ProblemCode;
  /** The field it is about, for a form to stand beside. */
  readonly field: string | undefined;

  constructor(code: ProblemCode, field?: string) {
    super(code);
    this.code = code;
    this.field = field;
  }
}

/** RFC 9457 response for `code`. */
export function problemResponse(code: ProblemCode, field?: string): Response {
  const { status, title } = problems[code];
  const body = JSON.stringify({ type: `/problems#${code}`, title, status, code, field });
  const headers = new Headers({ "content-type": "application/problem+json" });
  // RFC 9110 §15.5.2: a 401 names a scheme; Bearer opens no dialog in a browser.
  if (status === 401) headers.set("www-authenticate", "Bearer");
  return new Response(body, { status, headers });
}
