/** Every limit of Latchkey in one place: what it bounds in its name, its unit last. */

import { nameLimits } from "./dns/limits.ts";
import { DAY, HOUR, MINUTE, SECOND } from "./durations.ts";
import { linkLimits } from "./link/limits.ts";

export { DAY, HOUR };

export const limits = {
  // Periods of the data map
  sessionIdleMs: 30 * DAY,
  sessionMaxMs: 90 * DAY,
  sessionSeenEveryMs: HOUR,
  sessionCacheMs: SECOND, // so long may a session that was ended elsewhere still pass (RGT-14)
  sessionCacheEntries: 10_000,
  confirmedMs: 15 * MINUTE, // what cannot be undone asks again who it is
  signInStepMs: 10 * MINUTE,
  trustedBrowserMs: 90 * DAY,
  activityMs: 150 * DAY,
  activityPage: 50,
  elsewhereMs: 10 * MINUTE, // there and back
  challengeMs: 15 * MINUTE,
  challengeAttempts: 5,
  passkeyCeremonyMs: 5 * MINUTE,
  addressUndoMs: 7 * DAY,
  recoveryWaitMs: 3 * DAY, // docs/decisions/recovery.md
  recoveryOpenMs: 7 * DAY,
  personalTokenMs: 150 * DAY,
  enrolmentMs: 10 * MINUTE,
  enrolmentIntervalMs: 5 * SECOND,
  enrolmentSlowDownMs: 5 * SECOND, // RFC 8628 §3.5
  enrolmentSlackMs: 500,
  heldLabelMs: 180 * DAY,
  connectionAfterOfflineMs: DAY,
  ledgerMs: 210 * DAY,
  doorCodeMs: MINUTE,
  doorSessionMs: 12 * HOUR,
  shareMs: 90 * DAY, // the longest that a share may live
  reportMs: 120 * DAY, // that nobody has looked at; an objection too
  reportDecidedMs: 30 * DAY, // so that an objection can be judged
  doorSeenMs: 90 * DAY, // a browser that was told what an open door is
  personKeyCacheMs: MINUTE,
  contactAskMs: 30 * DAY,
  preferenceMs: 365 * DAY,

  // Requests to the console and the API
  requestBodyBytes: 64 * 1024,
  addressLength: 254,
  addressesPerAccount: 10,
  phoneDigits: 15, // ITU-T E.164
  codeLength: 32, // a typed code, with whatever blanks
  passwordMinLength: 10,
  passwordMaxLength: 256,
  devicesPerAccount: 100,
  peoplePerDevice: 50, // on each list
  rulesPerDevice: 30,
  sharesPerDevice: 100,
  doorPathLength: 1024,
  shareNameLength: 60,
  sharePasswordMinLength: 4, // each try is counted, and the link is a secret already
  sharePasswordMaxLength: 128,
  reportLength: 1000,
  reportsPerNetwork: 10, // an hour
  reportsPerDevice: 50, // that wait at a time; more say nothing new
  reportsPage: 50,
  statementLength: 1000, // of an operator, and of an owner who objects
  enrolmentsPendingPerAddress: 20,
  passkeysPerAccount: 20,
  personalTokensPerAccount: 30,
  noticeNames: 20, // of tokens and apps in a notice
  personalTokenNameLength: 60,
  passkeyNameLength: 60,
  credentialIdBytes: 1023, // WebAuthn §7.1
  authenticatorFieldLength: 16 * 1024,
  callbackPathsPerDevice: 10,
  callbackPathLength: 200,
  profileNameLength: 80,
  profileAboutLength: 160,
  photoBytes: 1024 * 1024,
  photoSidePixels: 2048,
  photoFormBytes: 1024 * 1024 + 16 * 1024, // the photo with a form around it
  contactsPerAccount: 500, // asks and blocked people among them
  contactAsksWaiting: 50,
  contactAsksPerAccount: 20,
  contactAskWindowMs: DAY,

  // Signing in elsewhere with Latchkey (OpenID)
  deviceCodeMs: 10 * MINUTE,
  deviceCodesPerNetwork: 30,
  grantNameLength: 60,
  openidCodeMs: MINUTE, // RFC 6749 §4.1.2: ten at most
  openidUsedCodeMs: 10 * MINUTE, // a used code is remembered, so that its second use is noticed
  accessTokenMs: HOUR,
  idTokenMs: HOUR,
  refreshIdleMs: 60 * DAY,
  refreshMaxMs: 365 * DAY, // then its owner signs in again
  refreshReplayMs: 7 * DAY, // an older refresh token is remembered, so that its reuse is noticed
  clientAssertionMs: 5 * MINUTE,
  openidParameterLength: 2048,
  openidFormBytes: 32 * 1024,
  signingKeyMs: 90 * DAY,
  signingKeyAheadMs: 7 * DAY, // made and published before it signs
  signingKeyPublishedMs: DAY, // the least that clients get to learn of it
  signingKeyAfterMs: 7 * DAY, // published after it has signed its last
  signingKeyCacheMs: MINUTE,
  jwksCacheSeconds: 900,
  preflightCacheSeconds: 7200,

  // Guessing
  signInPerAccount: 10,
  signInPerNetwork: 30,
  signInWindowMs: 10 * MINUTE,
  secondStepPerAccount: 20, // of a million codes, three are right at a time
  secondStepPerAccountNetwork: 10, // half, so that one network does not spend them all
  secondStepPerNetwork: 30,
  secondStepWindowMs: HOUR,
  recoveryCodes: 10,
  knownSignIns: 200,
  passkeyCeremoniesPerNetwork: 200, // a sign-in page asks for one when it opens
  passwordCheckPerAccount: 10,
  mailPerAddress: 5,
  mailPerNetwork: 20,
  mailWindowMs: HOUR, // of mails and text messages alike
  addressTriesPerAccount: 10, // an hour
  recoveriesPerAccount: 3,
  recoveryLinksPerAccount: 5, // an hour
  recoveriesWindowMs: 7 * DAY,
  smsPerAddress: 5,
  smsPerNetwork: 10,
  mailStepMs: 20 * SECOND,
  smsMs: 20 * SECOND,
  breachMs: 3 * SECOND,
  breachPerNetwork: 30, // new passwords that are asked about
  breachWindowMs: 10 * MINUTE,
  userCodePerAccount: 30,
  userCodeWindowMs: 10 * MINUTE,
  shareTriesPerLink: 100, // passwords for one link
  shareTriesPerLinkNetwork: 10, // so that one network does not spend them all
  shareTriesPerNetwork: 60,
  shareWindowMs: HOUR,
  reportWindowMs: HOUR,
  operatorTriesPerNetwork: 20, // wrong ones
  operatorWindowMs: HOUR,
  badauthPerNetwork: 10,
  badauthWindowMs: MINUTE,

  // Accounts elsewhere
  linkedPerAccount: 10,
  elsewherePerNetwork: 60,
  elsewhereWindowMs: 10 * MINUTE,
  elsewhereReturnLength: 1024,
  identitySubjectLength: 255, // OpenID Connect Core §2
  identityNameLength: 100,
  identityRequestMs: 8 * SECOND,
  identityAnswerBytes: 256 * 1024,
  identityMetadataMs: 5 * MINUTE,
  identityFreshMs: MINUTE, // how far a provider's clock may be behind ours

  // Names (dns/limits.ts) and Link (link/limits.ts)
  ...nameLimits,
  ...linkLimits,

  // Smart link and reachability
  reachSpots: 8, // addresses in the home network that a box may name
  reachOriginLength: 300,
  reachReportLength: 8192,
  reachChanges: 20, // reports that are written, of one device
  reachChangesWindowMs: 10 * MINUTE,
  reachLookMs: 25 * SECOND, // how often an agent looks at its own addresses
  hereConnections: 64, // at the agent's own listener
  hereRequestMs: 5 * SECOND,
  smartHomeMs: 600, // what the home network is given before the direct way is taken
  smartAllMs: 1500, // then it is the relay
  smartAskedMs: 20 * SECOND, // where a person said "look" and the browser may ask them something
  smartMemoryMs: 90 * DAY,
  smartMemoryLabels: 50,
  probePerAccount: 20, // ports that are tried from outside
  probePerNetwork: 20,
  probeWindowMs: 10 * MINUTE,
  probeConnectMs: 4 * SECOND,
  probeAnswerMs: 2 * SECOND,
  probeAnswerBytes: 4096,

  // The viewer, in the visitor's browser (docs/viewer.md)
  viewTextBytes: 5 * 1024 * 1024,
  viewMarkdownBytes: 2 * 1024 * 1024,
  viewImageBytes: 64 * 1024 * 1024,
  viewImagePixels: 100_000_000,
  viewPdfBytes: 128 * 1024 * 1024,
  viewPdfPages: 5000,
  viewPdfCanvasPixels: 16_000_000, // of one page, however far it is zoomed
  viewOfficeBytes: 32 * 1024 * 1024, // as the file lies there, packed
  viewUnpackedBytes: 128 * 1024 * 1024,
  viewXmlBytes: 24 * 1024 * 1024, // one part of an office file
  viewZipEntries: 5000,
  viewSheets: 100,
  viewSheetRows: 2000,
  viewSheetColumns: 100,
  viewSlides: 300,
  viewFirstSightMs: 30 * SECOND, // from the last byte to the first sight of it

  // Sweeps
  sweepBatchRows: 5000,
  sweepKeyedBatchRows: 90, // deleted by key: D1 binds a hundred parameters at most
  sweepBatchesPerRun: 40,
  dormantMs: 730 * DAY, // 24 months without use
  dormantFirstWarningMs: 60 * DAY, // before the end
  dormantLastWarningMs: 14 * DAY,
  dormantPerRun: 50, // each costs a mail
  exportRowsPerPage: 500,
  exportsPerAccount: 10,
  exportWindowMs: HOUR,
  sweepLeaseMs: 2 * MINUTE,
  sweepKeyGraceMs: 10 * MINUTE, // longer than a sign-up that was in time may hang before it commits
  erasureObjectsAtOnce: 6,
  erasureObjectsPerRun: 200,
  ledgerPage: 1000,

  // Devices hosted in one process (Deno)
  hostResidentDevices: 1000,
  hostOpenStores: 200,
  hostSocketQueueBytes: 16 * 1024 * 1024, // twice what credits let wait for a device that does not read
  hostLimitSubjects: 50_000,
  cronMs: MINUTE,
  shutdownMs: 5 * SECOND,
} as const;
