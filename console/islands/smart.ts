/**
 * The smart link in the browser: asks every place that the box names at once, believes only who signs
 * with the box's key, and goes to the nearest within a second and a half. What it remembers is in this
 * browser and nowhere else.
 */

import { herePath, verifyHere } from "../../protocol/reach.ts";
import {
  type Candidate,
  choose,
  forget,
  type Memory,
  type NearWay,
  type Proven,
  readMemory,
  remember,
  type WayTo,
} from "../../protocol/smart-link.ts";
import { base64url } from "../../protocol/tokens.ts";

/** The name in the browser's storage; declared in db/data-map/outside.ts. */
const MEMORY = "latchkey-ways";
const TICK_MS = 50;

interface Link {
  readonly label: string;
  readonly publicKey: string;
  readonly candidates: readonly Candidate[];
  readonly relay: string;
  readonly to: string;
  readonly stay: boolean;
}

type Word = "asking" | WayTo | "stayHome" | "stayDirect" | "stayRelay" | "forgotten";

export function smartLink(): void {
  const root = document.querySelector<HTMLElement>("[data-smart]");
  if (root === null) return;
  void new Page(root).start();
}

class Page {
  readonly #root: HTMLElement;
  readonly #link: Link;
  readonly #words: Readonly<Record<Word, string>>;

  constructor(root: HTMLElement) {
    this.#root = root;
    this.#link = JSON.parse(root.dataset.smart ?? "") as Link;
    const words = root.querySelector<HTMLTemplateElement>("[data-smart-words]");
    this.#words = JSON.parse(words?.content.textContent ?? "{}") as Record<Word, string>;
  }

  async start(): Promise<void> {
    this.#showMemory();
    this.#find("[data-smart-forget]")?.addEventListener("click", () => {
      this.#keep(forget(this.#memory(), this.#link.label));
      this.#say("forgotten");
      this.#showMemory();
    });
    const look = this.#find("[data-smart-look]");
    look?.addEventListener("click", () => {
      look.hidden = true;
      void this.#look(this.#link.candidates, true);
    });
    const { candidates } = this.#link;
    if (!candidates.some(({ way }) => way === "home") || !(await needsPermission())) {
      return await this.#look(candidates);
    }
    // The browser would ask its owner, and an answer takes longer than anybody waits: by a button, then.
    this.#state("home", "permission");
    if (look !== null) look.hidden = false;
    await this.#look(candidates.filter(({ way }) => way !== "home"));
  }

  /** Asks all at once, and goes. @param asked a person wants it, and their browser may ask them */
  async #look(candidates: readonly Candidate[], asked = false): Promise<void> {
    this.#say("asking");
    const over = new AbortController();
    const startedAt = performance.now();
    const waiting: NearWay[] = candidates.map(({ way }) => way);
    const proven: Proven[] = [];
    void this.#timeRelay(over.signal);
    const remembered = this.#remembered();
    const chosen = await new Promise<Proven | "relay">((resolve) => {
      const decide = () => {
        const elapsedMs = performance.now() - startedAt;
        const choice = choose({ elapsedMs, remembered, waiting, proven, asked });
        if (choice !== null) resolve(choice);
      };
      const timer = setInterval(decide, TICK_MS);
      over.signal.addEventListener("abort", () => clearInterval(timer));
      for (const candidate of candidates) {
        this.#state(candidate.way, "asking");
        void this.#ask(candidate, over.signal).then((ms) => {
          waiting.splice(waiting.indexOf(candidate.way), 1);
          if (ms !== null) proven.push({ ...candidate, ms });
          decide();
        });
      }
      decide();
    });
    over.abort();
    this.#take(chosen);
  }

  /** How long the box took to prove itself there; null when it did not. */
  async #ask({ way, probe, page }: Candidate, signal: AbortSignal): Promise<number | null> {
    const nonce = base64url(crypto.getRandomValues(new Uint8Array(32)));
    const startedAt = performance.now();
    let state = "silent";
    try {
      const response = await fetch(`${probe}${herePath}?nonce=${nonce}`, {
        ...{ signal, credentials: "omit", redirect: "error", cache: "no-store" },
        referrerPolicy: "no-referrer",
      });
      const ms = performance.now() - startedAt;
      state = "liar";
      const { signature } = (await response.json()) as { signature?: unknown };
      const spot = { probe, page };
      const isBox =
        response.ok &&
        typeof signature === "string" &&
        (await verifyHere(this.#link.publicKey, nonce, spot, signature));
      if (isBox) {
        this.#state(way, "proven", ms);
        return ms;
      }
    } catch {
      // Nobody there, or nobody who answers this question.
    }
    if (this.#row(way)?.dataset.state !== "proven") this.#state(way, state);
    return null;
  }

  /** How far away our own edge is: the first part of the way through the relay. */
  async #timeRelay(signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    try {
      await fetch("/healthz", { signal, cache: "no-store" });
      this.#state("relay", "ready", performance.now() - startedAt);
    } catch {
      // It is only a number.
    }
  }

  #take(chosen: Proven | "relay"): void {
    const { relay, to, stay } = this.#link;
    const way: WayTo = chosen === "relay" ? "relay" : chosen.way;
    const target = (chosen === "relay" ? relay : chosen.page) + to;
    const row = this.#row(way);
    if (row !== null) row.dataset.taken = "";
    const go = this.#find<HTMLAnchorElement>("[data-smart-go]");
    if (go !== null) go.href = target;
    this.#root.dataset.way = way;
    const stays = { home: "stayHome", direct: "stayDirect", relay: "stayRelay" } as const;
    // Somebody whom their browser has yet to ask is not led past the question, unless they went once.
    const isOpen = this.#row("home")?.dataset.state === "permission" && way === "relay";
    const waits = stay || (isOpen && this.#remembered() !== "relay");
    this.#say(waits ? stays[way] : way);
    if (isOpen && waits) go?.addEventListener("click", () => this.#remember(way));
    else this.#remember(way);
    if (!waits) location.replace(target);
  }

  #remembered(): WayTo | null {
    return this.#memory()[this.#link.label]?.way ?? null;
  }

  #remember(way: WayTo): void {
    if (this.#link.candidates.length === 0) return;
    this.#keep(remember(this.#memory(), this.#link.label, way, Date.now()));
    this.#showMemory();
  }

  #state(way: WayTo, state: string, ms?: number): void {
    const row = this.#row(way);
    if (row === null) return;
    row.dataset.state = state;
    const place = row.querySelector<HTMLElement>("[data-ms]");
    if (place === null || ms === undefined) return;
    place.textContent = `${Math.max(1, Math.round(ms))} ms ${place.dataset.ms}`.trim();
  }

  #say(word: Word): void {
    const line = this.#find("[data-smart-say]");
    if (line !== null) line.textContent = this.#words[word];
  }

  #row(way: WayTo): HTMLElement | null {
    return this.#find(`li[data-way="${way}"]`);
  }

  #find<E extends HTMLElement>(selector: string): E | null {
    return this.#root.querySelector<E>(selector);
  }

  #memory(): Memory {
    try {
      return readMemory(localStorage.getItem(MEMORY), Date.now());
    } catch {
      return {}; // a browser that keeps nothing
    }
  }

  #keep(memory: Memory): void {
    try {
      if (Object.keys(memory).length === 0) localStorage.removeItem(MEMORY);
      else localStorage.setItem(MEMORY, JSON.stringify(memory));
    } catch {
      // The next time begins anew.
    }
  }

  #showMemory(): void {
    const place = this.#find("[data-smart-memory]");
    if (place !== null) place.hidden = this.#remembered() === null;
  }
}

/**
 * True when the browser would ask its owner before a page may reach the home network, and has not yet
 * (Local Network Access). A page on this very machine is asked nothing.
 */
async function needsPermission(): Promise<boolean> {
  if (location.protocol !== "https:") return false;
  for (const name of ["local-network", "local-network-access"]) {
    try {
      const { state } = await navigator.permissions.query({ name: name as PermissionName });
      return state === "prompt";
    } catch {
      // This browser knows no such permission.
    }
  }
  return false;
}
