/**
 * A person without a pointer: Tab, Enter, Space and arrows. Every stop on the way must show where it is
 * and be in sight; whoever never gets to something finds out here.
 */

import type { Page } from "playwright-core";

/** Where the focus is. */
export interface Stop {
  /** What a screen reader calls it, roughly. */
  readonly name: string;
  readonly tag: string;
  /** What is wrong with it; empty when nothing is. */
  readonly faults: readonly string[];
}

/** More stops than any page has. */
const MOST_STOPS = 250;

export class Keyboard {
  readonly page: Page;
  constructor(page: Page) {
    this.page = page;
  }

  /** Goes on by one stop; null past the last. */
  async next(): Promise<Stop | null> {
    await this.page.keyboard.press("Tab");
    return await this.page.evaluate(stopHere);
  }

  /** Goes on until `name` has the focus. @throws when it never has, or a stop on the way is at fault */
  async to(name: RegExp | string): Promise<Stop> {
    const names: string[] = [];
    for (let step = 0; step < MOST_STOPS; step++) {
      const stop = await this.next();
      if (stop === null && names.length > 0) break;
      if (stop === null) continue;
      names.push(stop.name);
      if (typeof name === "string" ? stop.name === name : name.test(stop.name)) {
        if (stop.faults.length > 0) throw new Error(`${stop.name}: ${stop.faults.join("; ")}`);
        return stop;
      }
    }
    throw new Error(`nothing called ${name} at ${this.page.url()}: ${names.join(" | ")}`);
  }

  /** Goes to a button or a link and uses it; waits for the page that it leads to. */
  async use(name: RegExp | string): Promise<void> {
    await this.to(name);
    await this.enter();
  }

  /** Sends the form that has the focus, or follows the link; waits for the page that comes. */
  async enter(): Promise<void> {
    const came = this.page.waitForEvent("framenavigated");
    await this.page.keyboard.press("Enter");
    await came;
    await this.page.waitForLoadState();
  }

  /** Goes to a field, and types in place of what stood there. */
  async type(name: RegExp | string, text: string): Promise<void> {
    await this.to(name);
    await this.page.keyboard.press("ControlOrMeta+a");
    await this.page.keyboard.type(text);
  }

  /** What the focus is on. */
  async focused(): Promise<string> {
    return await this.page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
  }

  /** Every stop of the page in order, and what of it that can be used was no stop. */
  async walk(): Promise<{ readonly stops: Stop[]; readonly missed: string[] }> {
    // From the document's beginning, wherever the page has put the focus.
    await this.page.evaluate(() => {
      getSelection()?.removeAllRanges();
      (document.activeElement as HTMLElement | null)?.blur();
      document.body.tabIndex = -1;
      document.body.focus();
      document.body.removeAttribute("tabindex");
      for (const one of document.querySelectorAll("[data-stopped]")) {
        one.removeAttribute("data-stopped");
      }
    });
    const stops: Stop[] = [];
    for (let step = 0; step < MOST_STOPS; step++) {
      const stop = await this.next();
      if (stop === null) break;
      stops.push(stop);
    }
    return { stops, missed: await this.page.evaluate(neverStopped) };
  }
}

/** Runs in the page: says where the focus is, and what is wrong there. Null on no element, or twice. */
function stopHere(): Stop | null {
  const at = document.activeElement;
  if (!(at instanceof HTMLElement) || at === document.body) return null;
  if (at.dataset.stopped !== undefined && at.matches(".skip")) return null;
  const faults: string[] = [];
  const fields = [HTMLInputElement, HTMLSelectElement, HTMLTextAreaElement] as const;
  const field = fields.some((kind) => at instanceof kind) ? (at as HTMLInputElement) : null;
  const labels = field?.labels;
  const said = [
    at.getAttribute("aria-label"),
    ...[...(labels ?? [])].map(({ textContent }) => textContent),
    at instanceof HTMLSelectElement ? null : at.textContent,
  ];
  const name = (said.find((text) => text?.trim()) ?? "").trim().replace(/\s+/g, " ");
  if (name === "") faults.push("has no name");
  const style = getComputedStyle(at);
  const ring = Number.parseFloat(style.outlineWidth);
  if (!at.matches(":focus-visible") || style.outlineStyle === "none" || ring < 2) {
    // A hidden radio button may show its focus on the label around it.
    const around = at.closest("label");
    const shown = around !== null && getComputedStyle(around).outlineStyle !== "none";
    if (!shown) faults.push(`shows no focus (${style.outlineStyle} ${style.outlineWidth})`);
  }
  const box = at.getBoundingClientRect();
  if (box.width < 1 || box.height < 1) faults.push("has no size");
  const [x, y] = [box.left + box.width / 2, box.top + Math.min(box.height / 2, 20)];
  const inSight = x >= 0 && y >= 0 && x < innerWidth && y < innerHeight;
  if (!inSight) faults.push(`is out of sight at ${Math.round(x)},${Math.round(y)}`);
  const over = inSight ? document.elementFromPoint(x, y) : at;
  const same = over !== null && (at.contains(over) || over.contains(at));
  if (!same) faults.push(`is covered by ${over?.tagName}.${over?.className}`);
  // As it is read: within one part of the page nothing leads back up.
  const part = (one: Element) => one.closest("nav, main, header, footer");
  const before = document.querySelector("[data-stopped-last]");
  if (before !== null && part(before) === part(at)) {
    const last = before.getBoundingClientRect();
    if (box.bottom <= last.top) faults.push("stands above the stop before it");
  }
  before?.removeAttribute("data-stopped-last");
  at.dataset.stoppedLast = "";
  at.dataset.stopped = "";
  return { name, tag: at.tagName.toLowerCase(), faults };
}

/** Runs in the page: what a pointer could use and the focus never came to. */
function neverStopped(): string[] {
  const usable = "a[href], button, input, select, textarea, summary, [data-copy], [onclick]";
  const missed: string[] = [];
  for (const one of document.querySelectorAll<HTMLElement>(usable)) {
    if (one.dataset.stopped !== undefined || !one.checkVisibility()) continue;
    if (one instanceof HTMLInputElement && one.type === "hidden") continue;
    if ((one as HTMLButtonElement).disabled) continue;
    // Of radio buttons one is a stop, and arrows lead to the others.
    const name = one.getAttribute("name");
    const isRadio = one instanceof HTMLInputElement && one.type === "radio";
    if (isRadio && document.querySelector(`input[data-stopped][name="${name}"]`)) continue;
    missed.push(`${one.tagName} ${one.textContent?.trim() || name}`);
  }
  // What looks as if it could be pressed, and is nothing that can.
  for (const one of document.querySelectorAll<HTMLElement>("main *")) {
    if (getComputedStyle(one).cursor !== "pointer") continue;
    if (!one.closest(`${usable}, label`)) missed.push(`${one.tagName}.${one.className}`);
  }
  return missed;
}
