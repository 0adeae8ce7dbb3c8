/** Sound and film: the browser's own player asks the device for the pieces that it plays. */

import { unplayable, type Word, wordOfStatus } from "./words.ts";

/** @param onFailure is told what to say when it plays nothing */
export function player(
  kind: "audio" | "video",
  path: string,
  name: string,
  onFailure: (word: Word) => void,
): HTMLMediaElement {
  const element = document.createElement(kind);
  element.className = "view-player";
  element.controls = true;
  element.preload = "metadata";
  element.ariaLabel = name;
  element.tabIndex = 0;
  element.addEventListener("error", () => {
    // A player keeps the status to itself; the device is asked once more, without the body.
    fetch(path, { method: "HEAD" })
      .then(({ status }) => wordOfStatus(status))
      .catch(() => null)
      .then((word) => onFailure(word ?? unplayable));
  });
  element.src = path;
  return element;
}
