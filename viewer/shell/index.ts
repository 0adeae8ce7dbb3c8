/**
 * The page around a document: fetches it from the device, hands it to a frame of its kind or to the
 * browser's player, and carries what is pressed to and fro. It shows no text but its own.
 */

import { type FramedKind, fileName, type Kind, kindOfName, kinds } from "../../protocol/view.ts";
import { type Fetched, fetchDocument, NotShown } from "./fetch.ts";
import { DocumentFrame } from "./frame.ts";
import { player } from "./player.ts";
import { failed, tooSlow, type Word } from "./words.ts";

const { path = "/", files = "", frames = "{}" } = document.body.dataset;
const name = fileName(path);
const frameOf = JSON.parse(frames) as Record<FramedKind, string>;

const find = <T extends HTMLElement>(selector: string): T => {
  const found = document.querySelector<T>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
};
const stage = find("[data-stage]");
const status = find("[data-status]");
const pageField = find<HTMLInputElement>("[data-page]");

let frame: DocumentFrame | null = null;
let [page, pages] = [1, 0];

void open();

async function open(): Promise<void> {
  const known = kindOfName(name);
  if (known !== null && kinds[known].by === "player") return play(known);
  say(`Fetching ${name}…`);
  try {
    const fetched = await fetchDocument(path, progress);
    if (kinds[fetched.kind].by === "player") play(fetched.kind);
    else show(fetched, fetched.kind as FramedKind);
  } catch (error) {
    if (!(error instanceof NotShown)) throw error;
    explain(error.word);
  }
}

function progress(have: number, all: number | null): void {
  const MB = 1024 * 1024;
  // Only what takes a while is worth a word, and not more often than it changes.
  if (have < MB && (all ?? 0) < MB) return;
  const mb = Math.floor(have / MB);
  say(all === null ? `${mb} MB so far` : `${mb} of ${Math.ceil(all / MB)} MB`);
}

function show({ mime, bytes }: Fetched, kind: FramedKind): void {
  say("Opening…");
  called(kind);
  frame = new DocumentFrame(
    { files, file: frameOf[kind], title: `${name}, ${kinds[kind].name}` },
    { type: "open", name, mime, bytes },
    {
      shown(count, unit) {
        say("");
        stage.dataset.shown = kind;
        [page, pages] = [1, count];
        find("[data-zooms]").hidden = false;
        find("[data-full]").hidden = document.fullscreenEnabled !== true;
        find("[data-pages]").hidden = count < 2;
        find("[data-unit]").textContent = unit.charAt(0).toUpperCase() + unit.slice(1);
        find("[data-count]").textContent = String(count);
        at(1);
      },
      at,
      zoomed: (percent) => {
        find("[data-percent]").textContent = `${percent}%`;
      },
      key: press,
      link: offer,
      failed: (why) => explain(why === "slow" ? tooSlow : failed[why]),
    },
  );
  stage.append(frame.element);
}

function play(kind: Kind): void {
  called(kind);
  const element = player(kind === "video" ? "video" : "audio", path, name, (word) => {
    element.remove();
    explain(word);
  });
  stage.dataset.shown = kind;
  find("[data-full]").hidden = kind !== "video" || document.fullscreenEnabled !== true;
  stage.append(element);
}

/** Says of which kind the document turned out to be. */
function called(kind: Kind): void {
  find("[data-kind]").textContent = kinds[kind].name;
}

function say(text: string): void {
  if (status.textContent !== text) status.textContent = text;
}

/** Puts a word where the document would be. */
function explain({ title, text, again, download }: Word): void {
  say("");
  frame?.close();
  frame = null;
  for (const group of ["[data-pages]", "[data-zooms]", "[data-full]"]) find(group).hidden = true;
  const box = document.createElement("div");
  box.className = "view-word";
  box.role = "alert";
  const heading = document.createElement("h2");
  heading.textContent = title;
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  const ways = document.createElement("p");
  ways.className = "view-ways";
  if (again) ways.append(way("Try again", location.href));
  if (download) {
    const link = way(`Download ${name}`, path);
    link.download = name;
    ways.append(link);
  }
  box.append(heading, paragraph);
  if (ways.childElementCount > 0) box.append(ways);
  stage.append(box);
}

function way(text: string, href: string): HTMLAnchorElement {
  const link = document.createElement("a");
  link.className = "button";
  link.textContent = text;
  link.href = href;
  return link;
}

/** A link in the document: its reader sees the whole address and decides. */
function offer(href: string): void {
  if (!URL.canParse(href)) return;
  const url = new URL(href);
  if (url.protocol !== "https:" && url.protocol !== "http:" && url.protocol !== "mailto:") return;
  stage.querySelector(".view-link")?.remove();
  const bar = document.createElement("div");
  bar.className = "view-link";
  bar.role = "alertdialog";
  bar.ariaLabel = "A link in this document";
  const text = document.createElement("p");
  const address = document.createElement("span");
  address.className = "mono";
  address.dir = "ltr";
  address.textContent = url.href;
  text.append("This document links to ", address);
  const go = way("Open in a new tab", url.href);
  go.target = "_blank";
  go.rel = "noopener noreferrer";
  const stay = document.createElement("button");
  stay.type = "button";
  stay.className = "button plain";
  stay.textContent = "Stay here";
  for (const button of [go, stay]) {
    button.addEventListener("click", () => {
      bar.remove();
      frame?.element.focus();
    });
  }
  bar.append(text, go, stay);
  stage.append(bar);
  stay.focus();
}

function at(to: number): void {
  page = Math.min(Math.max(1, to), Math.max(1, pages));
  if (document.activeElement !== pageField) pageField.value = String(page);
}

function goTo(to: number): void {
  if (pages === 0) return;
  at(to);
  frame?.send({ type: "page", page });
}

const acts: Readonly<Record<string, () => void>> = {
  previous: () => goTo(page - 1),
  next: () => goTo(page + 1),
  smaller: () => frame?.send({ type: "zoom", step: -1 }),
  larger: () => frame?.send({ type: "zoom", step: 1 }),
  fit: () => frame?.send({ type: "zoom", step: 0 }),
  full: () =>
    void (
      document.fullscreenElement === null ? stage.requestFullscreen() : document.exitFullscreen()
    ).catch(() => say("This browser does not show it on the full screen.")),
  download: () => find<HTMLAnchorElement>("[data-download]").click(),
};
const keys: Readonly<Record<string, string>> = {
  "+": "larger",
  "=": "larger",
  "-": "smaller",
  "0": "fit",
  f: "full",
  d: "download",
  ArrowLeft: "previous",
  ArrowRight: "next",
};

function press(key: string): void {
  acts[keys[key] ?? ""]?.();
}

for (const button of document.querySelectorAll<HTMLElement>("[data-act]")) {
  button.addEventListener("click", () => acts[button.dataset.act ?? ""]?.());
}
pageField.addEventListener("change", () => goTo(Number.parseInt(pageField.value, 10) || page));
// Single keys act where the document or its tools have the focus, and nowhere else (WCAG 2.1.4).
for (const place of [stage, find(".view-tools")]) {
  place.addEventListener("keydown", (event) => {
    const { target, key } = event;
    const taken = target instanceof HTMLInputElement || target instanceof HTMLMediaElement;
    if (taken || event.ctrlKey || event.metaKey || event.altKey) return;
    if (keys[key] !== undefined) press(key);
  });
}
