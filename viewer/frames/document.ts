/** Word files by docx-preview, over our own zip reader (viewer/office/jszip.ts). */

import { renderAsync } from "docx-preview";
import { leads } from "../plain.ts";
import { followPages, frame, place } from "./frame.ts";

const MARGIN = 16;

frame(async ({ bytes }) => {
  const main = place("paper");
  // It empties both places first.
  const styles = document.createElement("div");
  document.body.append(styles);
  await renderAsync(bytes, main, styles, {
    className: "docx",
    inWrapper: true,
    breakPages: true,
    ignoreLastRenderedPageBreak: false,
    experimental: false,
    // HTML that a document carries along is not shown.
    renderAltChunks: false,
    renderComments: false,
    useBase64URL: false,
  });
  for (const link of main.querySelectorAll("a[href]")) {
    if (!leads(link.getAttribute("href") ?? "")) link.removeAttribute("href");
  }
  const pages = [...main.querySelectorAll<HTMLElement>("section.docx")];
  const widest = Math.max(1, ...pages.map(({ offsetWidth }) => offsetWidth));
  const fit = Math.min(1, (innerWidth - 2 * MARGIN) / widest);
  main.style.zoom = String(fit);
  return {
    pages: pages.length,
    unit: "page",
    goTo: followPages(pages),
    zoom(factor) {
      main.style.zoom = String(fit * factor);
    },
  };
});
