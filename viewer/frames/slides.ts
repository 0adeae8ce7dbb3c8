/** PowerPoint files: what is on each slide, one below the other. Its layout is not drawn. */

import { limits } from "../../protocol/limits.ts";
import { openPresentation, type Piece } from "../office/presentation.ts";
import { Unshown } from "../unshown.ts";
import { followPages, frame, note, place } from "./frame.ts";

frame(async ({ bytes }) => {
  const { slides, isCut } = await openPresentation(bytes);
  if (slides.length === 0) throw new Unshown("broken");
  const main = place("slides");
  note(
    main,
    "Shown are the texts, tables and pictures of each slide, in their order. Where they stand, charts and motion are not shown.",
  );
  if (isCut) note(main, `Shown are the first ${limits.viewSlides} slides. There are more.`);
  const elements = slides.map(({ pieces, isHidden }, at) => {
    const slide = document.createElement("section");
    slide.className = "slide";
    slide.ariaLabel = `Slide ${at + 1}`;
    slide.dir = "auto";
    slide.append(element("p", `${at + 1}${isHidden ? ", hidden" : ""}`, "slide-number"));
    slide.append(...pieces.map(drawn));
    if (pieces.length === 0) slide.append(element("p", "Nothing that can be shown here.", "other"));
    return slide;
  });
  main.append(...elements);
  return {
    pages: slides.length,
    unit: "slide",
    goTo: followPages(elements),
    zoom(factor) {
      main.style.zoom = String(factor);
    },
  };
});

function drawn(piece: Piece): Element {
  switch (piece.kind) {
    case "title":
      return element("h2", piece.text);
    case "text": {
      const box = document.createElement("div");
      box.className = "lines";
      for (const { level, text } of piece.lines) {
        const line = element("p", text);
        line.dataset.level = String(Math.min(level, 4));
        box.append(line);
      }
      return box;
    }
    case "table": {
      const table = document.createElement("table");
      for (const row of piece.rows) {
        const line = table.insertRow();
        for (const text of row) line.insertCell().textContent = text;
      }
      return table;
    }
    case "picture": {
      const image = new Image();
      image.alt = piece.description;
      image.src = URL.createObjectURL(piece.picture);
      return image;
    }
    case "other":
      return element("p", "Something here is not shown: a chart, a film or a drawing.", "other");
  }
}

function element(name: string, text: string, className = ""): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}
