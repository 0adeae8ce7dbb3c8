/** The limits of Link, at both ends; with the others in limits.ts. */

import { DAY, HOUR, MINUTE, SECOND } from "../durations.ts";

export const linkLimits = {
  // Link (both ends)
  linkFrameBytes: 64 * 1024, // of one stream, before it is another's turn
  linkDataBytes: 256 * 1024, // of a body in one frame, where nobody else waits
  linkMessageBytes: 260 * 1024, // such a frame with what goes before it
  linkHeadBytes: 64 * 1024,
  linkHeaders: 256,
  linkPathBytes: 16 * 1024,
  linkStreamWindowBytes: 256 * 1024,
  linkStreamWindowMaxBytes: 4 * 1024 * 1024, // of a stream whose consumer is faster than the way is short
  linkGrownWindowsBytes: 4 * 1024 * 1024, // what all streams of a connection grow by; below its own window
  linkGrowRoundTripMs: 5, // nearer than that, 256 KiB are 50 MB/s and more
  linkNearWindowBytes: 1024 * 1024, // of a stream nearer than that, while nobody opens another
  linkNearBytesPerMs: 64 * 1024, // that its consumer takes
  linkAloneMs: SECOND, // since another stream was opened
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
  linkBulkTurnBytes: 256 * 1024, // of a body beside the frames, before a pause while others ask
  linkBulkPauseMs: 1,
  linkBulkSegmentBytes: 64 * 1024 * 1024, // below 100 MB, the smallest body cap of the platform
  linkBulkSegmentMs: MINUTE,
  linkBulkQueueBytes: 256 * 1024,
  linkBulkConnections: 16,
  linkBulkTakenBytes: 8 * 1024 * 1024, // of an upload beside the frames, before the agent says that they were taken
  linkBulkTakenMs: 10 * SECOND, // or that its service keeps them waiting
  linkCarriedShare: 16, // times what the object saw of an upload: so much of it may pass unseen
  linkBulkPieceBytes: 512 * 1024, // of an upload on its way beside the frames, in the memory of the object
  linkGatherMs: 1, // for which what opens a stream waits for company, while nothing is heard
  linkBufferedBytes: 512 * 1024,
  linkWriteBufferBytes: 128 * 1024,
  linkPieceOverheadBytes: 256, // what a piece of a body costs in memory beside its bytes
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
  linkSocketBlindBytes: 64 * 1024 * 1024, // to all such browsers of a network since it was last heard of
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
  tunnelElsewhereMs: 20 * SECOND, // while each of the box's programs that is there says it has no such tunnel
  tunnelVanishedMs: 5 * SECOND, // the same, after the program that had it went without a word
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
  agentConnectMs: 10 * SECOND, // to the local service
  agentOwnReadBytes: 64 * 1024, // of each connection to it
  agentReadBytes: 256 * 1024, // of one read of a long body, in memory that is used again
  agentAwaitedWriteBytes: 64 * 1024, // a socket of Node takes no more before such a write has gone
  agentLentBuffers: 64, // of such memory; beyond it, bytes are copied
  agentCollectBytes: 8 * 1024 * 1024, // that pass between two short collections of garbage
  keyRetryMs: MINUTE,
  watchersPerDevice: 20,
  watchMs: 10 * MINUTE,
  identityMs: MINUTE, // of what a device is told of who comes
  identityCacheMs: 30 * SECOND,
  identityCacheEntries: 10_000,
} as const;
