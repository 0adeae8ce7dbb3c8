/** Markdown (CommonMark with GitHub's tables and lists), of which only plain elements are shown. */

import { marked } from "marked";
import { decodeText } from "../decode.ts";
import { plain } from "../plain.ts";
import { frame, place } from "./frame.ts";

frame(async ({ bytes }) => {
  const html = marked.parse(decodeText(bytes), { async: false, gfm: true });
  const main = place("prose");
  main.dir = "auto";
  main.append(plain(html));
  for (const table of main.querySelectorAll("table")) {
    const box = document.createElement("div");
    box.className = "wide";
    box.tabIndex = 0;
    box.role = "region";
    box.ariaLabel = "Table";
    table.replaceWith(box);
    box.append(table);
  }
  return {
    zoom(factor) {
      main.style.zoom = String(factor);
    },
  };
});
