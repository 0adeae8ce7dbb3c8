/** The command palette: `/`, Ctrl-K or ⌘K lists every place and act that this page offers. */

interface Entry {
  readonly name: string;
  readonly element: HTMLElement;
}

export function palette(): void {
  const hint = document.querySelector<HTMLElement>("[data-palette-hint]");
  if (hint !== null) hint.hidden = false;
  document.addEventListener("keydown", (event) => {
    const typing =
      event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
    const asked = event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey;
    const combined = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey);
    if (!asked && !combined) return;
    event.preventDefault();
    if (document.querySelector("dialog.palette") === null) open();
  });
}

function entriesOnPage(): Entry[] {
  const seen = new Map<string, Entry>();
  for (const element of document.querySelectorAll<HTMLElement>("[data-command]")) {
    const name = element.dataset.command ?? "";
    if (!seen.has(name)) seen.set(name, { name, element });
  }
  return [...seen.values()];
}

function open(): void {
  const entries = entriesOnPage();
  let found: Entry[] = entries;
  let chosen = 0;

  const dialog = element("dialog", { class: "palette", "aria-label": "Go to" });
  const input = element("input", {
    type: "text",
    placeholder: "Where to?",
    role: "combobox",
    "aria-label": "Where to?",
    "aria-expanded": "true",
    "aria-controls": "palette-list",
    "aria-autocomplete": "list",
    autocomplete: "off",
  });
  const list = element("ul", { id: "palette-list", role: "listbox", "aria-label": "Places" });
  const none = element("p", { role: "status" });
  dialog.append(input, list, none);

  const go = (entry: Entry | undefined) => {
    if (entry === undefined) return;
    dialog.close();
    entry.element.click();
  };
  const draw = () => {
    list.replaceChildren(
      ...found.map((entry, at) => {
        const item = element("li", {
          id: `palette-${at}`,
          role: "option",
          "aria-selected": String(at === chosen),
        });
        item.textContent = entry.name;
        item.addEventListener("click", () => go(entry));
        return item;
      }),
    );
    none.textContent = found.length === 0 ? "Nothing of that name on this page." : "";
    none.hidden = found.length > 0;
    if (found.length > 0) input.setAttribute("aria-activedescendant", `palette-${chosen}`);
    else input.removeAttribute("aria-activedescendant");
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  };
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    found = entries.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)));
    chosen = 0;
    draw();
  });
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && found.length > 0) {
      event.preventDefault();
      chosen = (chosen + step + found.length) % found.length;
      draw();
    } else if (event.key === "Enter") {
      event.preventDefault();
      go(found[chosen]);
    }
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  draw();
  dialog.showModal();
}

function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>>,
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
