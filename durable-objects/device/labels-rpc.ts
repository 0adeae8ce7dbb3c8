/**
 * What the edge may ask of a device's object about its names. Whose a name is says the directory; the
 * object holds the words, for the directory knows them by their hashes only. So a name is announced here
 * before the directory gives it, and settled after.
 */

import type { DeviceDescription } from "./rpc.ts";

/** The names of a device. */
export interface DeviceLabels {
  /** The one that the device is called by. */
  readonly primary: string;
  /** The others, the oldest first. */
  readonly others: readonly string[];
  /** Announced, and not known yet to be the device's: nothing answers there. */
  readonly coming: readonly string[];
  /** Of the others, those that are about to be another device's. */
  readonly leaving: readonly string[];
}

/** What the directory said of one of them. */
export interface JudgedLabel {
  readonly label: string;
  readonly isOwn: boolean;
  /** It answered when the directory was asked, and was not announced only. */
  readonly wasHere: boolean;
}

/** Null: the device is gone. */
export interface LabelsRpc {
  labels(): Promise<DeviceLabels | null>;
  /**
   * Announces a name. Idempotent.
   * @param instead the one that it takes the place of, in a rename; null: it is one more
   */
  expectLabel(label: string, instead: string | null): Promise<"expected" | "full" | null>;
  /**
   * Takes what the directory says: an announced name begins to answer, one that is another's ends.
   * @param sure false: what was announced a moment ago may still come, and stays announced
   */
  settleLabels(judged: readonly JudgedLabel[], sure: boolean): Promise<DeviceDescription | null>;
  /**
   * Notes that a further name is about to be another device's: nothing is certified for it from here on,
   * nobody proves it, what proved it goes, and an order for it is given up. It ends with `settleLabels`, and so does the note where nobody took it.
   * @returns `still` where that was so already; `busy` while an authority may be certifying it; null too
   *   for none of them
   */
  leaveLabel(label: string): Promise<"left" | "still" | "busy" | null>;
  /** Calls the device by another of its names. Idempotent. @returns null too when it is none of them */
  setPrimaryLabel(label: string): Promise<DeviceDescription | null>;
}
