/** A QR code as SVG, drawn on the server: black on white in every color scheme, as cameras want it. */

import { encode } from "uqr";

/** Modules of white around the code (ISO/IEC 18004 §6.3.8). */
const QUIET = 4;

/** @param label what a screen reader says instead */
export function QrCode({ text, label }: { text: string; label: string }) {
  const { data, size } = encode(text, { ecc: "M", border: 0 });
  const side = size + 2 * QUIET;
  return (
    <svg class="qr" viewBox={`0 0 ${side} ${side}`} role="img" aria-label={label}>
      <rect width={side} height={side} fill="#fff" />
      <path d={modules(data)} fill="#000" shape-rendering="crispEdges" />
    </svg>
  );
}

/** One run of dark modules is one rectangle. */
function modules(rows: readonly (readonly boolean[])[]): string {
  return rows
    .flatMap((row, y) => {
      const bits = row.map((dark) => (dark ? "1" : "0")).join("");
      return [...bits.matchAll(/1+/g)].map(
        ({ 0: run, index }) => `M${index + QUIET} ${y + QUIET}h${run.length}v1h-${run.length}z`,
      );
    })
    .join("");
}
