/** The demo NAS page: paper, ink and a door-green button; light and dark; no script. */

interface FileRow {
  readonly name: string;
  readonly bytes: number;
  readonly changedAt: number;
}

const style = `:root{color-scheme:light dark;--paper:#faf8f4;--ink:#1d211f;--muted:#5f6561;--line:#e4dfd6;--door:#1e5b4f;--on-door:#fff;--brick:#a8402f}
@media(prefers-color-scheme:dark){:root{--paper:#121513;--ink:#e9e7e1;--muted:#9aa19c;--line:#2a2f2c;--door:#6fb8a6;--on-door:#121513;--brick:#e07a66}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:44rem;overflow-wrap:anywhere;margin-inline:auto;padding:3rem 1rem}h1{font-size:1.73rem;margin:0 0 .25rem}.muted{color:var(--muted)}
ul{list-style:none;padding:0;margin:2rem 0}li{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:center;border-top:1px solid var(--line);padding:.75rem 0}
li a.name{flex:1 1 12rem;overflow-wrap:anywhere}a{color:var(--door)}form{margin:0}
button,input{font:inherit}button{border:1px solid var(--line);background:none;color:inherit;border-radius:10px;padding:.35rem .8rem;cursor:pointer}
button.main{background:var(--door);border-color:var(--door);color:var(--on-door)}button.remove{color:var(--brick)}
.upload{display:flex;flex-wrap:wrap;gap:.75rem;border:1px solid var(--line);border-radius:10px;padding:1rem}
input[type=file]{flex:1 1 12rem;min-width:0}::file-selector-button{font:inherit;border:1px solid var(--line);background:none;color:inherit;border-radius:10px;padding:.35rem .8rem;margin-inline-end:.75rem}:focus-visible{outline:2px solid var(--door);outline-offset:2px}`;

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title><style>${style}</style></head><body><main>${body}</main></body></html>`;
}

/**
 * The list of files, with a form to bring one.
 * @param who is signed in; null: nobody; undefined: this page signs nobody in
 * @param isAtDoor its visitor came through the door, whose viewer opens files
 */
export function listing(files: readonly FileRow[], who?: string | null, isAtDoor = false): string {
  const rows = files.map((file) => {
    const url = encodeURIComponent(file.name);
    const name = escapeHtml(file.name);
    const view = `/.well-known/latchkey/view?path=${encodeURIComponent(`/files/${url}`)}`;
    const open = isAtDoor ? `<a href="${view}" aria-label="Open ${name}">Open</a>` : "";
    return `<li><a class="name" href="/files/${url}">${name}</a><span class="muted">${size(file.bytes)}</span>${open}<a href="/files/${url}?download" download>Download</a><form method="post" action="/delete/${url}"><button class="remove" aria-label="Delete ${name}">Delete</button></form></li>`;
  });
  const list =
    rows.length === 0
      ? `<p class="muted">No files yet. Bring the first one.</p>`
      : `<ul>${rows.join("")}</ul>`;
  return page(
    "The box at home",
    `<h1>The box at home</h1><p class="muted">A folder on this device, seen through its door.</p>${visitor(who)}${list}<form class="upload" method="post" action="/" enctype="multipart/form-data"><input type="file" name="file" aria-label="File to upload" required><button class="main">Upload</button></form>`,
  );
}

function visitor(who: string | null | undefined): string {
  if (who === undefined) return "";
  if (who === null) return `<p><a href="/sign-in">Sign in with Latchkey</a></p>`;
  return `<form method="post" action="/sign-out"><p>Signed in as <b>${escapeHtml(who)}</b> <button>Sign out</button></p></form>`;
}

/** One sentence and the way back. */
export function message(text: string): string {
  return page(
    "The box at home",
    `<h1>${escapeHtml(text)}</h1><p><a href="/">Back to the files</a></p>`,
  );
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const unit = Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** unit).toFixed(1)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
