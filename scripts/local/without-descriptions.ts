/**
 * Leaves out of the bundle what routes say for docs/openapi.json alone: summaries, descriptions, and the
 * schemas of answers, which nobody checks. What a request may hold stays (docs/decisions/weight.md).
 */

import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";

const ROUTES = /\/workers\/(?:[\w-]+\/)*[\w-]+\.ts$/;

export const withoutDescriptions: Plugin = {
  name: "without-descriptions",
  setup({ onLoad }) {
    onLoad({ filter: ROUTES }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      return source.includes('from "zod"') ? { contents: bare(source), loader: "ts" } : undefined;
    });
  },
};

/** The same module without what only documents say. */
export function bare(source: string): string {
  let text = without(source, /\.meta\(/g, "");
  text = without(text, /\bresponses: \{/g, "responses: {}");
  text = text.replace(/\bresponses(?:: \w+)?,/g, "responses: {},");
  text = text.replace(/^\s*summary:\s*(?:"(?:[^"\\]|\\.)*"|`[^`]*`),\n/gm, "");
  // What only an answer's schema was made of is made by nobody.
  return text.replace(/(?<![\w.])(z\.\w|json\()/g, "/* @__PURE__ */ $1");
}

/** What begins as `start` matches goes, with all up to the bracket that closes its last sign. */
function without(source: string, start: RegExp, instead: string): string {
  let text = "";
  let from = 0;
  for (const match of source.matchAll(start)) {
    if (match.index < from) continue;
    text += source.slice(from, match.index) + instead;
    from = closing(source, match.index + match[0].length);
  }
  return text + source.slice(from);
}

/** Where what was opened right before `at` is closed; strings and templates are leapt over. */
function closing(source: string, at: number): number {
  const token =
    /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|\/\/[^\n]*|[([{]|[)\]}]/g;
  token.lastIndex = at;
  let depth = 1;
  for (let match = token.exec(source); match !== null; match = token.exec(source)) {
    if (/^[([{]$/.test(match[0])) depth++;
    else if (/^[)\]}]$/.test(match[0]) && --depth === 0) return token.lastIndex;
  }
  throw new Error("a bracket that nothing closes");
}
