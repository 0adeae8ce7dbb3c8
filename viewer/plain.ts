/**
 * HTML that others wrote, built anew from a short list of elements and attributes. It is parsed where
 * nothing runs and copied node by node, never written out and parsed again. The frame's policy stands
 * behind it: what this list let through by mistake could neither run nor load.
 */

const ELEMENTS = new Set(
  "a abbr b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul".split(
    " ",
  ),
);
/** Elements that go with everything in them. */
const DROPPED = new Set(
  "script style template iframe object embed applet svg math noscript noembed noframes frame frameset head title link meta base textarea select audio video canvas form".split(
    " ",
  ),
);
const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  a: ["href", "title"],
  abbr: ["title"],
  ol: ["start"],
  td: ["align", "colspan", "rowspan"],
  th: ["align", "colspan", "rowspan", "scope"],
  details: ["open"],
};
const MAX_DEPTH = 200;

export function plain(html: string): DocumentFragment {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const fragment = document.createDocumentFragment();
  copy(parsed.body, fragment, 0, new Set());
  return fragment;
}

function copy(from: Node, to: Node, depth: number, ids: Set<string>): void {
  if (depth > MAX_DEPTH) return;
  for (const node of from.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) {
      to.appendChild(document.createTextNode(node.nodeValue ?? ""));
    } else if (node instanceof Element) {
      element(node, to, depth, ids);
    }
  }
}

function element(from: Element, to: Node, depth: number, ids: Set<string>): void {
  const name = from.localName;
  if (DROPPED.has(name) || from.namespaceURI !== "http://www.w3.org/1999/xhtml") return;
  if (name === "img") {
    // A picture is another file; it is named, not fetched.
    const alt = document.createElement("span");
    alt.className = "picture";
    alt.textContent = `Picture: ${from.getAttribute("alt") || "without a description"}`;
    to.appendChild(alt);
    return;
  }
  if (name === "input" && from.getAttribute("type") === "checkbox") {
    to.appendChild(document.createTextNode(from.hasAttribute("checked") ? "☑ " : "☐ "));
    return;
  }
  if (!ELEMENTS.has(name)) {
    copy(from, to, depth + 1, ids);
    return;
  }
  const made = document.createElement(name);
  for (const attribute of ATTRIBUTES[name] ?? []) {
    const value = from.getAttribute(attribute);
    if (value !== null && (attribute !== "href" || leads(value))) {
      made.setAttribute(attribute, value);
    }
  }
  if (/^h[1-6]$/.test(name)) made.id = freshId(from.textContent ?? "", ids);
  copy(from, made, depth + 1, ids);
  to.appendChild(made);
}

/** Somewhere in this text, or out to the web by the reader's word. */
export function leads(href: string): boolean {
  return /^(?:#|https?:\/\/|mailto:)/i.test(href);
}

/** What a table of contents links to, as GitHub makes it. */
function freshId(text: string, ids: Set<string>): string {
  const base = text
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(/\s/g, "-");
  let id = base;
  for (let count = 1; ids.has(id); count++) id = `${base}-${count}`;
  ids.add(id);
  return id;
}
