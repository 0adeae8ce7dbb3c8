/**
 * PDF by Mozilla's PDF.js: each page is drawn when it comes into sight, with its text above it to be
 * read aloud, searched and copied. Scripts and forms in a document do nothing here.
 */

import workerCode from "worker:pdfjs-dist/build/pdf.worker.min.mjs";
import {
  GlobalWorkerOptions,
  getDocument,
  type PDFDocumentProxy,
  type PDFPageProxy,
  RenderingCancelledException,
  TextLayer,
  version,
} from "pdfjs-dist";
import { limits } from "../../protocol/limits.ts";
import { Unshown } from "../unshown.ts";
import { followPages, frame, need, note, place, type Shown, say } from "./frame.ts";

/** PDF points are a 72th of an inch, a window's pixels a 96th. */
const CSS_UNITS = 96 / 72;
const MARGIN = 16;

const workerUrl = URL.createObjectURL(new Blob([workerCode], { type: "text/javascript" }));
const worker = new Worker(workerUrl);
worker.addEventListener("error", () => say({ type: "failed", why: "broken" }));
GlobalWorkerOptions.workerPort = worker;

/** Where the library finds its tables and decoders: at the page, which asks the edge. */
class ByThePage {
  async fetch({ filename }: { filename: string }): Promise<Uint8Array> {
    const bytes = await need(`pdfjs-${version}-${filename}`);
    if (bytes === null) throw new Error(`no ${filename}`);
    return new Uint8Array(bytes);
  }
}

frame(async ({ bytes }): Promise<Shown> => {
  const pdf = await load(bytes);
  const count = Math.min(pdf.numPages, limits.viewPdfPages);
  const main = place("pages");
  if (count < pdf.numPages) note(main, `Shown are the first ${count} of ${pdf.numPages} pages.`);
  const first = await pdf.getPage(1);
  const sheets = Array.from({ length: count }, (_, at) => new Sheet(pdf, at + 1, first));
  const byElement = new Map(sheets.map((sheet) => [sheet.element as Element, sheet]));
  const sight = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        void byElement.get(target)?.inSight(isIntersecting);
      }
    },
    { rootMargin: "100% 0px" },
  );
  const fit = Math.min(
    1.25,
    (innerWidth - 2 * MARGIN) / first.getViewport({ scale: CSS_UNITS }).width,
  );
  for (const sheet of sheets) {
    sheet.scale = fit;
    main.append(sheet.element);
  }
  await sheets[0]?.inSight(true);
  for (const sheet of sheets) sight.observe(sheet.element);
  return {
    pages: count,
    unit: "page",
    goTo: followPages(sheets.map(({ element }) => element)),
    zoom(factor) {
      for (const sheet of sheets) sheet.scale = fit * factor;
    },
  };
});

async function load(bytes: ArrayBuffer): Promise<PDFDocumentProxy> {
  const task = getDocument({
    data: new Uint8Array(bytes),
    BinaryDataFactory: ByThePage,
    // They are asked for at the page; the names only say that there are some.
    cMapUrl: "page:/",
    wasmUrl: "page:/",
    useWorkerFetch: false,
    enableXfa: false,
    maxImageSize: limits.viewImagePixels,
    verbosity: 0,
  });
  // Nobody is asked for a password.
  task.onPassword = () => void task.destroy();
  try {
    return await task.promise;
  } catch (error) {
    const isLocked = error instanceof Error && /password|destroyed/i.test(error.message);
    throw new Unshown(isLocked ? "locked" : "broken");
  }
}

/** One page: empty paper of the right size until somebody looks. */
class Sheet {
  readonly element = document.createElement("section");
  readonly #pdf: PDFDocumentProxy;
  readonly #number: number;
  #page: PDFPageProxy;
  #scale = 1;
  #seen = false;
  #drawing: { cancel(): void } | null = null;
  #turn = 0;

  /** @param like a page to take the size from until this one is read */
  constructor(pdf: PDFDocumentProxy, number: number, like: PDFPageProxy) {
    this.#pdf = pdf;
    this.#number = number;
    this.#page = like;
    this.element.className = "sheet-of-paper";
    this.element.ariaLabel = `Page ${number}`;
  }

  set scale(scale: number) {
    this.#scale = scale;
    this.#measure();
    if (this.#seen) void this.#draw();
  }

  async inSight(seen: boolean): Promise<void> {
    if (seen === this.#seen) return;
    this.#seen = seen;
    if (seen) return await this.#draw();
    this.#turn++;
    this.#drawing?.cancel();
    this.element.replaceChildren();
  }

  #measure(): void {
    const { width, height } = this.#page.getViewport({ scale: this.#scale * CSS_UNITS });
    this.element.style.width = `${width}px`;
    this.element.style.height = `${height}px`;
  }

  async #draw(): Promise<void> {
    const turn = ++this.#turn;
    this.#drawing?.cancel();
    this.#page = await this.#pdf.getPage(this.#number);
    if (turn !== this.#turn) return;
    this.#measure();
    const scale = this.#scale * CSS_UNITS;
    const { width, height } = this.#page.getViewport({ scale });
    // Never more of it than a page of memory holds.
    const sharp = Math.min(
      devicePixelRatio,
      Math.sqrt(limits.viewPdfCanvasPixels / Math.max(1, width * height)),
    );
    const viewport = this.#page.getViewport({ scale: scale * sharp });
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.floor(viewport.width));
    canvas.height = Math.max(1, Math.floor(viewport.height));
    canvas.ariaHidden = "true";
    const drawing = this.#page.render({ canvas, viewport });
    this.#drawing = drawing;
    try {
      await drawing.promise;
    } catch (error) {
      if (error instanceof RenderingCancelledException) return;
      throw error;
    }
    if (turn !== this.#turn) return;
    this.element.replaceChildren(canvas, await this.#text(scale));
  }

  async #text(scale: number): Promise<HTMLElement> {
    const container = document.createElement("div");
    container.className = "textLayer";
    container.style.setProperty("--scale-factor", String(scale));
    container.style.setProperty("--total-scale-factor", String(scale));
    const layer = new TextLayer({
      textContentSource: await this.#page.getTextContent(),
      container,
      viewport: this.#page.getViewport({ scale }),
    });
    await layer.render();
    return container;
  }
}
