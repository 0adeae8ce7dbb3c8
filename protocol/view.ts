/**
 * What the viewer shows, by the name of a file or by what the device says it is; and how large it may
 * be. Shared by the page that the edge draws and the code that runs in it.
 */

import { limits } from "./limits.ts";

const MIB = 1024 * 1024;

/** How a kind is called, the most bytes of it, and by whom it is shown. */
export const kinds = {
  text: { name: "Text", bytes: limits.viewTextBytes, by: "frame" },
  markdown: { name: "Markdown", bytes: limits.viewMarkdownBytes, by: "frame" },
  image: { name: "Picture", bytes: limits.viewImageBytes, by: "frame" },
  pdf: { name: "PDF", bytes: limits.viewPdfBytes, by: "frame" },
  document: { name: "Document", bytes: limits.viewOfficeBytes, by: "frame" },
  sheet: { name: "Spreadsheet", bytes: limits.viewOfficeBytes, by: "frame" },
  slides: { name: "Presentation", bytes: limits.viewOfficeBytes, by: "frame" },
  // The browser's own players, which ask for the piece that they play.
  audio: { name: "Sound", bytes: Number.POSITIVE_INFINITY, by: "player" },
  video: { name: "Film", bytes: Number.POSITIVE_INFINITY, by: "player" },
} as const;
export type Kind = keyof typeof kinds;
/** Kinds that a frame of their own shows. */
export type FramedKind = { [K in Kind]: (typeof kinds)[K]["by"] extends "frame" ? K : never }[Kind];

const endings: readonly [kind: Kind, endings: string][] = [
  [
    "text",
    "txt log csv tsv json jsonl xml html htm xhtml css js mjs cjs ts tsx jsx py rb go rs c h cc cpp hpp java kt swift php pl lua sh bash zsh ps1 bat sql yaml yml toml ini conf cfg env diff patch tex bib srt vtt ics vcf eml nfo",
  ],
  ["markdown", "md markdown"],
  ["image", "png apng jpg jpeg gif webp avif bmp ico svg"],
  ["pdf", "pdf"],
  ["document", "docx docm dotx"],
  ["sheet", "xlsx xlsm xltx"],
  ["slides", "pptx pptm ppsx"],
  ["audio", "mp3 wav ogg oga opus m4a aac flac weba"],
  ["video", "mp4 m4v webm ogv mov mkv"],
];
const byEnding = new Map(
  endings.flatMap(([kind, list]) => list.split(" ").map((ending) => [ending, kind] as const)),
);

const OFFICE = "application/vnd.openxmlformats-officedocument.";
const byType = new Map<string, Kind>([
  ["text/markdown", "markdown"],
  ["application/pdf", "pdf"],
  ["application/json", "text"],
  ["application/xml", "text"],
  [`${OFFICE}wordprocessingml.document`, "document"],
  [`${OFFICE}spreadsheetml.sheet`, "sheet"],
  [`${OFFICE}presentationml.presentation`, "slides"],
]);

/** What a file is by the end of its name; null when that says nothing. */
export function kindOfName(name: string): Kind | null {
  const dot = name.lastIndexOf(".");
  return dot < 0 ? null : (byEnding.get(name.slice(dot + 1).toLowerCase()) ?? null);
}

/** What a file is by its media type (RFC 9110 §8.3.1); null when the viewer shows none such. */
export function kindOfType(type: string | null): Kind | null {
  const essence = (type ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  const known = byType.get(essence);
  if (known !== undefined) return known;
  switch (essence.split("/")[0]) {
    case "text":
      // A device's page under a name that says nothing is a page, not a document.
      return essence === "text/html" ? null : "text";
    case "image":
      return "image";
    case "audio":
      return "audio";
    case "video":
      return "video";
    default:
      return null;
  }
}

/** The file's name for people: the last part of its path, decoded; never empty. */
export function fileName(path: string): string {
  const last = (path.split(/[?#]/)[0] ?? "").split("/").findLast((part) => part !== "") ?? "";
  try {
    return decodeURIComponent(last) || "Document";
  } catch {
    return last;
  }
}

/** A size for people, in MiB as they are commonly called. */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / MIB)} MB`;
}
