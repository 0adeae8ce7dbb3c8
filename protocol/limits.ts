/** Every limit of Latchkey in one place: what it bounds in its name, its unit last. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

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

  // Name
  updateHosts: 20,
  updateChangesPerFamily: 10,
  updateWindowMs: 10 * MINUTE,
  updateQueryBytes: 4096,
  updateCallsPerHour: 60, // of one token; a client that asks more often is out of order
  updateFloodHours: 3, // then it is refused until its owner has looked
  homePrefixBits: { min: 16, max: 64 },
  nameHistoryMs: 30 * DAY,
  nameHistoryEntries: 100,
  nameHistoryAgainMs: HOUR, // the same again is not written
  nameTokensPerDevice: 20,
  nameTokenNameLength: 60,
  nameTokenNetworks: 8,
  addressTtlSeconds: 60,
  zoneTtlSeconds: 3600,
  negativeTtlSeconds: 60,
  zoneSerialMs: HOUR,
  zoneKeyCacheMs: MINUTE,
  zoneKeyNoneMs: SECOND, // that an edge believes that the zone has no key: who wants signatures makes one
  zoneKeyPublishedMs: 2 * HOUR, // known to resolvers before it signs: longer than zoneTtlSeconds
  zoneSignatureMs: 7 * DAY, // how long a signature of a record counts
  zoneRenewMs: 3 * DAY, // signed anew this long before that
  zoneInceptionMs: HOUR, // clocks of resolvers may be behind by this
  denialSignatureMs: DAY,
  denialCacheEntries: 10_000,
  labelCacheMs: 30 * SECOND,
  labelCacheEntries: 10_000,
  dnsMessageBytes: 4096,

  signingKeyBytes: 32,
  signedFudgeSeconds: 300, // RFC 8945 §10
  publishRetryMs: 5 * SECOND, // until the zone's object confirms what a device publishes
  zoneGoneMs: HOUR, // for which fronts that were away hear that a name went
  feedPageNames: 500,
  publisherRequestMs: 20 * SECOND,
  publisherAnswerBytes: 16 * 1024 * 1024,
  publisherPage: 5000, // records that are asked for at a time
  publisherPagesPerRun: 20,
  publisherNamesApart: 50, // more are compared with all there is: 1200 requests in 5 minutes are the limit
  publisherBatch: 200, // changes a request: what every plan takes
  publisherTtlSeconds: 60, // the least that every plan takes
  feedMessageBytes: 16 * 1024 * 1024, // a page of names that all publish much
  feedOpenMs: 10 * SECOND,
  feedPingMs: 5 * SECOND,
  feedAgainMinMs: 200,
  feedAgainMaxMs: 10 * SECOND,

  // Certificates
  proofMs: HOUR,
  proofTtlSeconds: 30,
  proofsPerDevice: 10,
  proofsRolling: 2, // one for the name, one for all below it
  proofChangesPerDevice: 100,
  proofWindowMs: 10 * MINUTE,
  certificateRequestBytes: 4096,
  certificateNames: 10,
  certificateOrderMs: 30 * DAY, // in the queue
  certificatesPerZone: 50, // new ones; docs/certificates.md
  certificatesWindowMs: 7 * DAY,
  certificatesPerDevice: 10, // orders a day
  certificatesPerAccount: 30,
  certificateAskedWindowMs: DAY,
  certificateAsksPerDevice: 600, // how an order stands
  certificateAskWindowMs: HOUR,
  certificateLeaseMs: MINUTE,
  certificateSteps: 8, // of one order in one go
  certificatesAtOnce: 20, // in one sweep
  certificateFailures: 4, // of an order, then it has failed
  certificateRetryMs: 2 * MINUTE, // doubled with each failure
  certificateSettleMs: 6 * SECOND, // what was put into DNS is at every front by then
  certificateAskMs: 3 * SECOND, // while the authority works
  certificateIdleAskSeconds: 12 * 3600, // how often a box with a certificate asks
  acmeRequestMs: 10 * SECOND,
  acmeAnswerBytes: 256 * 1024,
  acmeNonceTries: 6,
  acmeDetailLength: 500,
  acmeRetryMaxMs: DAY,
  acmeOrders: 300,
  acmeOrdersWindowMs: 3 * HOUR,
  acmePauseMs: HOUR, // where the authority says "too many", and not how long
  renewalAskMs: 12 * HOUR,

  // DNS front (`npm run dns`)
  dnsFrontPortTries: 10,
  dnsFrontEdgeMs: 4 * SECOND,
  dnsFrontInFlight: 500,
  dnsFrontKept: 20_000, // answers of the edge
  dnsFrontKeptMs: HOUR, // at most; and no longer than their records
  dnsFrontKeptAloneMs: 5 * SECOND, // by a front that nobody tells of changes
  dnsFrontStaleMs: 3 * DAY, // of the zone's own records, while the edge is away
  dnsFrontRefreshMs: 20 * SECOND,
  dnsFrontRate: 2000, // questions a second of one network; more are sent to TCP
  dnsFrontAskRate: 100, // of those that the edge is asked about
  dnsUdpBytes: 1232, // RFC 9715 §3.2: fits every path without fragments
  dnsSocketBytes: 4 * 1024 * 1024,
  dnsTcpConnections: 200,
  dnsTcpIdleMs: 10 * SECOND,
  dnsTcpPipelined: 32,

  // Link (both ends)
  linkFrameBytes: 64 * 1024,
  linkMessageBytes: 256 * 1024,
  linkHeadBytes: 64 * 1024,
  linkHeaders: 256,
  linkPathBytes: 16 * 1024,
  linkStreamWindowBytes: 256 * 1024,
  linkStreamWindowMaxBytes: 4 * 1024 * 1024, // of a stream whose consumer is faster than the way is short
  linkGrownWindowsBytes: 4 * 1024 * 1024, // what all streams of a connection grow by; below its own window
  linkGrowRoundTripMs: 5, // nearer than that nothing grows: 256 KiB are 50 MB/s and more
  linkConnectionWindowBytes: 8 * 1024 * 1024,
  linkStreams: 256,
  linkStreamsPerDevice: 512, // over all of its connections; an operator may set these (docs/link.md)
  linkRequestsPerSecond: 1000,
  linkVisitorRequestsPerSecond: 500,
  linkBytesPerDay: 1e12,
  linkVisitorBytesPerDay: 250e9,
  linkVisitorsKept: 10_000, // networks in the memory of a device's object
  linkNetworksKept: 1000, // of addresses, so that none is parsed for each request
  linkNamesKept: 512, // of headers, of which it is known what becomes of them
  linkNameKept: 64, // characters of such a name
  trafficMs: DAY,
  trafficWriteMs: MINUTE,
  trafficTellMs: 2 * SECOND,
  linkStreamsPerVisitor: 128, // a browser over HTTP/2 asks for a hundred things at once
  linkHeadMs: 60 * SECOND,
  linkUploadIdleMs: 60 * SECOND,
  linkUntakenMs: 15 * MINUTE, // a paused film; its player asks for the rest when it goes on
  linkHoldOfflineMs: 5 * SECOND,
  linkBulkAfterBytes: 1024 * 1024, // what goes in frames before a body asks for the bulk lane
  linkBulkSegmentBytes: 64 * 1024 * 1024, // below 100 MB, the smallest body cap of the platform
  linkBulkSegmentMs: MINUTE,
  linkBulkQueueBytes: 256 * 1024,
  linkBulkConnections: 16,
  linkBulkPieceBytes: 512 * 1024, // of an upload on its way beside the frames, in the memory of the object
  linkBufferedBytes: 512 * 1024,
  linkWriteBufferBytes: 128 * 1024,
  linkControlFrames: 1024,
  linkTickMs: SECOND,
  linkSockets: 128, // visitors' WebSockets at a time
  linkSocketProtocols: 32,
  linkSocketReasonBytes: 123, // RFC 6455 §5.5
  linkSocketMessageBytes: 8 * 1024 * 1024,
  linkSocketQueueBytes: 16 * 1024 * 1024, // from a browser, which cannot be held back, to a slow device
  linkSocketsQueueBytes: 32 * 1024 * 1024, // of all of a device's visitors, with messages that are not whole
  linkSocketOverheadBytes: 256, // what a message costs in memory beside its bytes
  linkSocketStallMs: 60 * SECOND,
  linkSocketCheckMs: 5 * MINUTE,
  linkSocketPollMs: 50,
  linkSocketPaceBytes: 8 * 1024 * 1024, // a second, to a browser of which nobody can tell what it has read
  linkDrainMs: MINUTE, // what lives on a connection that takes no new streams
  linkProbeMs: 10 * SECOND, // of silence while somebody waits, and then again for the answer
  agentsPerDevice: 4,
  tcpServicesPerDevice: 16,
  tunnelsPerDevice: 32, // each holds two windows at most, one a direction
  tunnelsPerVisitor: 16, // of one account at one device
  tunnelConnectMs: 10 * SECOND, // to the service at home; to TLS
  tunnelIdleMs: 12 * HOUR, // no byte either way
  tunnelWindowBytes: 1024 * 1024, // from end to end, each way
  tunnelFrames: 4096, // with data, each way, without a credit for them
  tunnelLastingMs: 2 * MINUTE, // without anything that carries it
  tunnelAgainMinMs: 250, // before a visitor comes back with it, at random up to a bound that doubles
  tunnelAgainMaxMs: 10 * SECOND,
  agentPingMs: 25 * SECOND,
  agentStaleMs: 75 * SECOND,
  agentBackoffMinMs: 500,
  agentBackoffMaxMs: 30 * SECOND,
  agentAssertionMs: MINUTE,
  agentOpenMs: 20 * SECOND,
  agentCloseMs: SECOND,
  agentStopMs: 8 * SECOND, // a stopping agent's visitors; service managers kill after 10
  agentStableMs: 10 * SECOND,
  agentRequestMs: 15 * SECOND,
  agentCollectBytes: 8 * 1024 * 1024, // that pass between two short collections of garbage
  keyRetryMs: MINUTE,
  watchersPerDevice: 20,
  watchMs: 10 * MINUTE,
  identityMs: MINUTE, // of what a device is told of who comes
  identityCacheMs: 30 * SECOND,
  identityCacheEntries: 10_000,

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
