/** Text as it is, whatever it would mean elsewhere: HTML, scripts and XML are shown, never run. */

import { decodeText } from "../decode.ts";
import { frame, place } from "./frame.ts";

const LINES_PER_BLOCK = 400;

frame(async ({ bytes }) => {
  const lines = decodeText(bytes).split(/\r\n|\n|\r/);
  const main = place("text");
  // Blocks that are not in sight cost no layout.
  for (let at = 0; at < lines.length; at += LINES_PER_BLOCK) {
    const block = document.createElement("pre");
    block.dir = "auto";
    block.textContent = lines.slice(at, at + LINES_PER_BLOCK).join("\n");
    main.append(block);
  }
  return {
    zoom(factor) {
      main.style.zoom = String(factor);
    },
  };
});
