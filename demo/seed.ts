/** The first files of the demo NAS, so that there is something to look at. */

import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { samples } from "./samples/files.ts";

const welcome = `Welcome to the box at home.

You are reading a file on a small NAS page that runs on this machine. Your browser did not reach it
directly: it came through the door. The device holds one outbound connection to Latchkey, and your
request and this answer passed through it as frames. Nothing of it was kept on the way.

Upload something, download it again, delete it. It lives in the folder of this demo and nowhere else.
`;

const picture = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 320" role="img" aria-label="A green door in a paper wall">
<rect width="480" height="320" fill="#faf8f4"/><path d="M0 270h480v50H0z" fill="#e4dfd6"/>
<rect x="172" y="62" width="136" height="210" rx="8" fill="#1d211f"/><rect x="182" y="72" width="116" height="200" rx="4" fill="#1e5b4f"/>
<rect x="198" y="90" width="84" height="62" rx="4" fill="none" stroke="#faf8f4" stroke-opacity=".5" stroke-width="2"/>
<rect x="198" y="168" width="84" height="86" rx="4" fill="none" stroke="#faf8f4" stroke-opacity=".5" stroke-width="2"/>
<circle cx="286" cy="176" r="7" fill="#a97b1e"/><path d="M286 183v14" stroke="#a97b1e" stroke-width="4" stroke-linecap="round"/></svg>
`;

/** Writes the first files when `folder` has none. */
export async function seed(folder: string): Promise<void> {
  if ((await readdir(folder)).some((name) => !name.startsWith("."))) return;
  const files = { "welcome.txt": welcome, "door.svg": picture, ...samples };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}
