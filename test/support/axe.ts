/** What axe finds wrong with a page in a real browser. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Frame, Page } from "playwright-core";

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

interface AxeViolation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** By WCAG 2.2 A and AA. The page's context must be made with `bypassCSP`: axe is not ours. */
export async function axe(page: Page | Frame): Promise<string[]> {
  await page.evaluate(source);
  return await page.evaluate(async (tags) => {
    const { axe } = window as unknown as {
      axe: { run(options: unknown): Promise<{ violations: AxeViolation[] }> };
    };
    const result = await axe.run({ runOnly: tags });
    return result.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
  }, WCAG);
}
