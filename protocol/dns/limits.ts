/** The limits of names, of their certificates and of the DNS front; with the others in limits.ts. */

import { DAY, HOUR, MINUTE, SECOND } from "../durations.ts";

export const nameLimits = {
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
  nameTokenIdleMs: 180 * DAY, // without use, then it ends
  nameTokenIdleToldMs: 30 * DAY, // for which its owner is told before, by mail once
  nameTokenDevicesAtOnce: 20, // looked through for such, in one sweep
  nameTokenRetryMs: HOUR, // where that failed
  addressTtlSeconds: 60,
  ownSetsPerDevice: 20, // records that their owner put there
  publishedBytesPerDevice: 1_350_000, // all sets of all its names, in clear: sealed they fit into zoneRowBytes
  zoneRowBytes: 1_900_000, // of one device, sealed; 2 MB is what a row of an object may be
  ownRecordsPerSet: 10,
  ownSetBytes: 800, // of one set: with its signature it fits into dnsUdpBytes
  ownOwnerLength: 100,
  ownOwnerLabels: 4,
  neighborsPerDevice: 20,
  recordChangesPerDevice: 60,
  recordWindowMs: 10 * MINUTE,
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
  labelsPerDevice: 5,
  labelsHeldPerAccount: 20, // given up lately; more are not claimed until some are free
  nameOfferMs: 14 * DAY,
  nameOffersPerAccount: 10, // that wait for an answer
  labelSettleMs: MINUTE, // for which a change of names may be under way before the sweep ends it
  labelCacheMs: 30 * SECOND,
  labelCacheEntries: 10_000,
  dnsMessageBytes: 4096,

  // Domains of one's own
  domainsPerDevice: 5,
  domainLooksPerAccount: 30, // that somebody asks for
  domainLooksWindowMs: HOUR,
  domainChain: 8, // names that one may go through
  domainValues: 8, // of one answer that are kept and shown
  domainLookMs: 20 * SECOND, // for all questions about one domain
  domainCheckMs: DAY, // between two looks at a domain that leads here
  domainRetryMs: HOUR, // at one that does not; doubled with each look, up to a day
  domainMisses: 3, // looks in a row, then its owner is told
  domainSilences: 14, // looks in a row that came to nothing, some ten days; more of them are misses
  domainGraceMs: 7 * DAY, // after that, for which it still counts
  domainUnsetMs: 30 * DAY, // for which one that never led here is looked at
  domainsAtOnce: 10, // devices, in one sweep
  domainQuestionsAtOnce: 40, // in one sweep, of all regions: a small plan lets a run send 50 requests
  domainRunMs: 30 * SECOND, // after which one sweep begins with no other domain
  domainChangeTries: 5, // at changing them, while others do
  resolverMs: 5 * SECOND,
  resolverAnswerBytes: 4096,

  signingKeyBytes: 32,
  signedFudgeSeconds: 300, // RFC 8945 §10
  publishRetryMs: 5 * SECOND, // until the zone's object confirms what a device publishes
  zoneGoneMs: HOUR, // for which fronts that were away hear that a name went
  feedPageNames: 500,
  feedPageBytes: 4 * 1024 * 1024, // as the rows are sealed
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
  certificatesKept: 10, // before the last one, as long as they count
  revocationMs: 23 * HOUR, // once their name ended; with the sweep within a day (RET-2)
  revocationRetryMs: MINUTE, // doubled with each try
  revocationRetryMaxMs: HOUR,
  revocationsAtOnce: 20, // in one sweep
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
  acmeOrderMs: 7 * DAY, // since it was asked for: then an order that the authority says nothing of is begun anew
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
  dnsFrontThreads: 64, // that may answer UDP: each takes memory for the zone
  dnsFrontEdgeMs: 4 * SECOND,
  dnsFrontInFlight: 500,
  dnsFrontKept: 20_000, // answers of the edge
  dnsFrontKeptMs: HOUR, // at most; and no longer than their records
  dnsFrontKeptAloneMs: 5 * SECOND, // by a front that nobody tells of changes
  dnsFrontStaleMs: 3 * DAY, // of the zone's own records, while the edge is away
  dnsFrontRefreshMs: 20 * SECOND,
  dnsFrontRate: 2000, // questions a second of one network; more are sent to TCP
  dnsFrontAskRate: 100, // of those that the edge is asked about
  dnsFrontInventedRate: 15, // of all networks together: names that are not there, first asked for by UDP, again, by TCP
  dnsEdgeInventedRate: 60, // of one network, which may be a front: questions for names that nobody asked for of late
  dnsEdgeFloodRate: 15, // the same of one that asks for more: a front never does
  dnsUdpBytes: 1232, // RFC 9715 §3.2: fits every path without fragments
  dnsSocketBytes: 4 * 1024 * 1024,
  dnsTcpConnections: 200,
  dnsTcpIdleMs: 10 * SECOND,
  dnsTcpPipelined: 32,
} as const;
