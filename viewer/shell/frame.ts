/**
 * The frame that shows a document, seen from the page: it has no origin, hears only this page, and
 * gets by name only those files of ours that renderers ask for.
 */

import { limits } from "../../protocol/limits.ts";
import { type Failure, type FromFrame, fromFrame, type ToFrame } from "../messages.ts";

/** Files that a renderer may ask for: the tables and decoders of the PDF library. */
const RESOURCE = /^pdfjs-[\d.]+-[\w-]+\.(?:bcmap|wasm)$/;

export interface FrameEvents {
  shown(pages: number, unit: string): void;
  at(page: number): void;
  zoomed(percent: number): void;
  key(key: string): void;
  link(href: string): void;
  /** It shows nothing, or no longer. */
  failed(why: Failure | "slow"): void;
}

export class DocumentFrame {
  readonly element: HTMLIFrameElement;
  readonly #files: string;
  readonly #events: FrameEvents;
  #pending: { message: ToFrame; transfer: Transferable[] } | null;
  #watch: ReturnType<typeof setTimeout> | null = null;

  constructor(
    options: { readonly files: string; readonly file: string; readonly title: string },
    open: Extract<ToFrame, { type: "open" }>,
    events: FrameEvents,
  ) {
    this.#files = options.files;
    this.#events = events;
    this.#pending = { message: open, transfer: [open.bytes] };
    this.element = document.createElement("iframe");
    this.element.className = "view-frame";
    this.element.title = options.title;
    this.element.sandbox.add("allow-scripts");
    this.element.referrerPolicy = "no-referrer";
    this.element.src = options.files + options.file;
    addEventListener("message", this.#onMessage);
    this.#watch = setTimeout(() => this.#fail("slow"), limits.viewFirstSightMs);
  }

  send(message: ToFrame, transfer: Transferable[] = []): void {
    // A frame without an origin can be named by no target; its address is held by `frame-src`.
    this.element.contentWindow?.postMessage(message, "*", transfer);
  }

  close(): void {
    removeEventListener("message", this.#onMessage);
    this.#calm();
    this.element.remove();
  }

  readonly #onMessage = (event: MessageEvent): void => {
    if (event.source !== this.element.contentWindow || event.origin !== "null") return;
    const message = fromFrame(event.data);
    if (message !== null) this.#take(message);
  };

  #take(message: FromFrame): void {
    switch (message.type) {
      case "ready": {
        // Once: a frame that begins anew finds nothing.
        const pending = this.#pending;
        this.#pending = null;
        if (pending !== null) this.send(pending.message, pending.transfer);
        return;
      }
      case "shown":
        this.#calm();
        this.#events.shown(message.pages, message.unit);
        break;
      case "failed":
        this.#fail(message.why);
        break;
      case "at":
        this.#events.at(message.page);
        break;
      case "zoomed":
        this.#events.zoomed(message.percent);
        break;
      case "key":
        this.#events.key(message.key);
        break;
      case "link":
        this.#events.link(message.href);
        break;
      case "need":
        void this.#bring(message.id, message.name);
    }
  }

  async #bring(id: number, name: string): Promise<void> {
    let bytes: ArrayBuffer | null = null;
    if (RESOURCE.test(name)) {
      const response = await fetch(this.#files + name).catch(() => null);
      if (response?.ok) bytes = await response.arrayBuffer();
    }
    this.send({ type: "resource", id, bytes }, bytes === null ? [] : [bytes]);
  }

  #fail(why: Failure | "slow"): void {
    this.close();
    this.#events.failed(why);
  }

  #calm(): void {
    if (this.#watch !== null) clearTimeout(this.#watch);
    this.#watch = null;
  }
}
