/**
 * Pictures, as pictures: an SVG is drawn where its scripts do not run and its references load nothing
 * (SVG 2 §2.2, secure static mode).
 */

import { limits } from "../../protocol/limits.ts";
import { Unshown } from "../unshown.ts";
import { frame, place } from "./frame.ts";

const types: Readonly<Record<string, string>> = {
  svg: "image/svg+xml",
  png: "image/png",
  apng: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  avif: "image/avif",
  bmp: "image/bmp",
  ico: "image/x-icon",
};

frame(async ({ name, mime, bytes }) => {
  const ending = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  const type = types[ending] ?? (mime.startsWith("image/") ? mime : "");
  const image = new Image();
  image.alt = name;
  image.src = URL.createObjectURL(new Blob([bytes], { type }));
  await new Promise<void>((resolve, reject) => {
    image.onload = () => resolve();
    image.onerror = () => reject(new Unshown("broken"));
  });
  // Only now is it known how large it will be; it has not been drawn yet.
  const { naturalWidth, naturalHeight } = image;
  if (naturalWidth * naturalHeight > limits.viewImagePixels) throw new Unshown("too-large");
  const main = place("picture-stage");
  main.append(image);
  return {
    zoom(factor) {
      // The first size fits the window; others are parts of it, over which one scrolls.
      main.classList.toggle("zoomed", factor !== 1);
      image.style.width = factor === 1 ? "" : `${fitted(image) * factor}px`;
    },
  };
});

/** The width at which the whole picture is in sight, at most its own. */
function fitted({ naturalWidth, naturalHeight }: HTMLImageElement): number {
  const [width, height] = [naturalWidth || innerWidth, naturalHeight || innerHeight];
  return width * Math.min(1, innerWidth / width, innerHeight / height);
}
