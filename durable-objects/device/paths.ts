/**
 * Paths as the door's rules see them. A device reads a path in its own way: it may decode it twice,
 * take `\` for `/`, cut `;…` off, merge slashes or forget about case. Which of these it does nobody
 * knows, so a path counts as its exact spelling and as everything else that it might mean: whoever
 * asks must be let in by each rule that any reading could lead to. Pure.
 *
 * Paths come here as `URL.pathname` spells them: absolute, without plain dot segments (WHATWG URL
 * §4.4), and as the device gets them.
 */

import { limits } from "../../protocol/limits.ts";

/** Something that holds for a path and all below it; `prefix` is `/` or `/a/b`, as browsers spell it. */
export interface Placed {
  readonly prefix: string;
}

/** A path in segments. */
interface View {
  readonly segments: readonly string[];
  /** The same, as whoever forgets about case and forms of letters reads them. */
  readonly folded: readonly string[];
  /** The first segment that somebody may read as another, or as several; their number when none is. */
  readonly firstOdd: number;
  /** True when somebody may read a way up, or to somewhere else, in it. */
  readonly climbs: boolean;
}

// The expressions stand in functions: read at the start, with all of Unicode's letters, they took a
// millisecond of it.

/** Letters, digits and marks of any script, and what no file server gives a meaning to. */
const harmless = (text: string): boolean => /^[\p{L}\p{N}\p{M}_()@. -]+$/u.test(text);
/** Dots that may be a segment of their own once what stands around them is cut off. */
const hasDots = (text: string): boolean =>
  /(?:^|[^\p{L}\p{N}\p{M}_.])\.{2,}(?:$|[^\p{L}\p{N}\p{M}_.])/u.test(text);

/** Compatibility forms, width, marks and case folded together, so that more is alike than on any disk. */
function fold(text: string): string {
  return text.normalize("NFKC").toUpperCase().toLowerCase().normalize("NFKC");
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null; // no UTF-8: who decodes it anyway may read whatever they like
  }
}

function isPlain(segment: string): boolean {
  const text = decoded(segment);
  if (text === null || text === "" || encodeURI(text) !== segment) return false;
  return [text, fold(text)].every(
    (form) =>
      harmless(form) &&
      !/\p{Default_Ignorable_Code_Point}/u.test(form) &&
      !hasDots(form) &&
      !/^ |[. ]$/.test(form),
  );
}

function climbs(segment: string): boolean {
  const text = decoded(segment)?.normalize("NFKC");
  return text === undefined || /[/\\\p{Cc}]|%u|%[0-9a-f]{2}/iu.test(text) || hasDots(text);
}

/** The segments of a path; what follows its last slash is none when it is empty. */
function segmentsOf(path: string): string[] {
  const segments = path.split("/").slice(1);
  if (segments.at(-1) === "") segments.pop();
  return segments;
}

function viewOf(path: string): View {
  const segments = segmentsOf(path);
  const odd = segments.findIndex((segment) => !isPlain(segment));
  return {
    segments,
    folded: segments.map((segment) => fold(decoded(segment) ?? segment)),
    firstOdd: odd === -1 ? segments.length : odd,
    climbs: segments.some(climbs),
  };
}

/** How deep a prefix is: 0 for `/`. */
export function depthOf(prefix: string): number {
  return segmentsOf(prefix).length;
}

/** True when `path` is spelled as `prefix` or as something below it. */
export function covers(prefix: string, path: string): boolean {
  return prefix === "/" || path === prefix || path.startsWith(`${prefix}/`);
}

/** The deepest of `all` whose prefix `path` is spelled under. */
export function deepest<P extends Placed>(all: readonly P[], path: string): P | null {
  let found: P | null = null;
  for (const one of all) {
    if (!covers(one.prefix, path)) continue;
    if (found === null || one.prefix.length > found.prefix.length) found = one;
  }
  return found;
}

/**
 * The rules, beside what stands at `base`, that `path` could come under in some reading. `base` is a
 * prefix that the path is spelled under; what its own spelling means was its owner's choice.
 */
export function reachable<P extends Placed>(
  rules: readonly P[],
  path: string,
  base: string,
): readonly P[] {
  const others = rules.filter(({ prefix }) => prefix !== base);
  if (others.length === 0) return others;
  const view = viewOf(path);
  const depth = depthOf(base);
  if (view.climbs && view.segments.length > depth) return others;
  // Nothing below the base: it is what its owner chose, however odd its spelling.
  const firstOdd = view.segments.length <= depth ? view.segments.length : view.firstOdd;
  return others.filter(({ prefix }) => {
    const rule = viewOf(prefix).folded;
    if (rule.length < depth) return false;
    for (const [at, segment] of rule.entries()) {
      if (at >= firstOdd) return firstOdd < view.segments.length;
      if (view.folded[at] !== segment) return false;
    }
    return true;
  });
}

/**
 * By what somebody may go to `path`: the deepest rule over it, or a share of theirs that is as deep,
 * and with it every rule that the path could come under in some reading. Null: they may not.
 * @param rules one of them at `/`
 * @param shares those that let them in
 */
export function judge<P extends Placed>(
  rules: readonly P[],
  shares: readonly P[],
  path: string,
  admits: (rule: P) => boolean,
): readonly P[] | null {
  const [only] = rules;
  if (rules.length === 1 && shares.length === 0 && only !== undefined) {
    return admits(only) ? [only] : null;
  }
  const rule = deepest(rules, path);
  const share = deepest(shares, path);
  if (rule === null) return null;
  const base = share !== null && depthOf(share.prefix) >= depthOf(rule.prefix) ? share : rule;
  const all = [base, ...reachable(rules, path, base.prefix)];
  return all.every((one) => one === share || admits(one)) ? all : null;
}

/** What a person typed as a path or an address of the door, as its path; null for anything else. */
function pathOf(text: string, origin: string): string | null {
  const trimmed = text.trim();
  if (trimmed === "" || trimmed.length > limits.doorPathLength) return null;
  if (!trimmed.startsWith("/") && !/^https?:\/\//i.test(trimmed)) return null;
  if (trimmed.startsWith("//") || !URL.canParse(trimmed, origin)) return null;
  const url = new URL(trimmed, origin);
  // A page that takes its file from a query shows any file: no path of it is one file.
  if (url.origin !== new URL(origin).origin || url.search !== "") return null;
  const path = url.pathname === "/" ? "/" : url.pathname.replace(/\/+$/, "");
  return path === "" ? "/" : path;
}

/**
 * The prefix of a rule, from what its owner typed; null where a device might read it as another. So
 * that no rule is got around by a spelling, its own spelling is a plain one.
 */
export function rulePrefix(text: string, origin: string): string | null {
  const path = pathOf(text, origin);
  if (path === null || path.startsWith("/.well-known/latchkey")) return null;
  return segmentsOf(path).every(isPlain) ? path : null;
}

/** The path of a share; it may be spelled oddly, as files are called, but leads nowhere else. */
export function sharePath(text: string, origin: string): string | null {
  const path = pathOf(text, origin);
  if (path === null || path.startsWith("/.well-known/latchkey")) return null;
  const segments = segmentsOf(path);
  return segments.includes("") || segments.some(climbs) ? null : path;
}
