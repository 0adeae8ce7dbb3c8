/** How long each lane runs: a whole run for the figures, a short one that only asks whether all of it works. */

export interface Plan {
  /** Starts of the runtime. */
  readonly starts: number;
  /** Lanes are measured in turn, round by round, so that what else the machine does weighs on all. */
  readonly rounds: number;
  /** Of one lane in one round. */
  readonly seconds: number;
  /** For which a lane of small requests runs before any is measured, with as many at a time as there will be. */
  readonly warmUpSeconds: number;
  /** Of one lane's long bodies, before any is measured. */
  readonly bulkWarmUps: number;
  readonly bulkRuns: number;
  readonly bulkBytes: number;
  /** For a peer that takes half a minute for as much as the others do in a second. */
  readonly slowBulkBytes: number;
  /** Visitors, or uploads, that stall at a time. */
  readonly stalled: number;
  /** In the zone that name servers hold. */
  readonly names: number;
  readonly idleDevices: number;
  /** An object sleeps after ten seconds without a word. */
  readonly idleSettleMs: number;
}

export const whole: Plan = {
  starts: 15,
  rounds: 5,
  seconds: 1,
  warmUpSeconds: 4,
  bulkWarmUps: 3,
  bulkRuns: 7,
  bulkBytes: 200_000_000,
  slowBulkBytes: 20_000_000,
  stalled: 32,
  names: 100_000,
  idleDevices: 10_000,
  idleSettleMs: 15_000,
};

export const smoke: Plan = {
  starts: 1,
  rounds: 1,
  seconds: 0.1,
  warmUpSeconds: 0.1,
  bulkWarmUps: 1,
  bulkRuns: 1,
  bulkBytes: 8_000_000,
  slowBulkBytes: 1_000_000,
  stalled: 2,
  names: 1000,
  idleDevices: 20,
  idleSettleMs: 0,
};
