/**
 * What the page and a frame say to each other. A frame is not trusted: whatever comes from it is read
 * field by field, and it is numbers and words of this list, never text for the page to show.
 */

/** From the page to the frame, which is the only one that hears it. */
export type ToFrame =
  | { readonly type: "open"; readonly name: string; readonly mime: string; bytes: ArrayBuffer }
  | { readonly type: "zoom"; readonly step: -1 | 0 | 1 }
  | { readonly type: "page"; readonly page: number }
  | { readonly type: "resource"; readonly id: number; readonly bytes: ArrayBuffer | null };

export const units = ["page", "sheet", "slide"] as const;
export type Unit = (typeof units)[number];

/** Why a document is not shown. */
export const failures = ["broken", "too-large", "locked"] as const;
export type Failure = (typeof failures)[number];

export type FromFrame =
  | { readonly type: "ready" }
  | {
      readonly type: "shown";
      /** How many pages, sheets or slides; 0 where there are none to go to. */
      readonly pages: number;
      readonly unit: Unit;
    }
  | { readonly type: "failed"; readonly why: Failure }
  | { readonly type: "at"; readonly page: number }
  | { readonly type: "zoomed"; readonly percent: number }
  /** The renderer needs a file of ours that it does not carry along. */
  | { readonly type: "need"; readonly id: number; readonly name: string }
  | { readonly type: "key"; readonly key: string }
  | { readonly type: "link"; readonly href: string };

const MAX_PAGES = 1_000_000;
const whole = (value: unknown, least: number, most: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;

/** Reads what a frame said; null for anything else. */
export function fromFrame(data: unknown): FromFrame | null {
  if (typeof data !== "object" || data === null) return null;
  const { type, pages, unit, why, page, percent, id, name, key, href } = data as {
    [key in string]?: unknown;
  };
  switch (type) {
    case "ready":
      return { type };
    case "shown": {
      const known = units.find((one) => one === unit);
      return whole(pages, 0, MAX_PAGES) && known !== undefined
        ? { type, pages, unit: known }
        : null;
    }
    case "failed": {
      const known = failures.find((one) => one === why);
      return known === undefined ? null : { type, why: known };
    }
    case "at":
      return whole(page, 1, MAX_PAGES) ? { type, page } : null;
    case "zoomed":
      return whole(percent, 1, 10_000) ? { type, percent } : null;
    case "need":
      return whole(id, 0, Number.MAX_SAFE_INTEGER) && typeof name === "string"
        ? { type, id, name }
        : null;
    case "key":
      return typeof key === "string" && key.length <= 16 ? { type, key } : null;
    case "link":
      return typeof href === "string" && href.length <= 2048 ? { type, href } : null;
    default:
      return null;
  }
}
