/**
 * The page around a document of a device, on the device's own host (docs/viewer.md). It says what it
 * is and where to download it; the script below `viewer/` fetches and shows it.
 */

import type { Child } from "hono/jsx";
import { type FramedKind, fileName, kindOfName, kinds } from "../../protocol/view.ts";
import type { Viewer, ViewerFacts } from "../../workers/link/view.ts";
import { Icon, type IconName, Mark } from "../components/icons.tsx";
import { framePolicies, names } from "../dist/names.ts";

/** The frame of each kind, by its built name. */
const frameOf: Readonly<Record<FramedKind, string>> = {
  text: names["view-text.html"],
  markdown: names["view-markdown.html"],
  image: names["view-image.html"],
  pdf: names["view-pdf.html"],
  document: names["view-document.html"],
  sheet: names["view-sheet.html"],
  slides: names["view-slides.html"],
};

/** A button that the script shows when the document can do it. */
function Tool({ act, icon, children }: { act: string; icon: IconName; children: Child }) {
  return (
    <button class="view-tool" type="button" data-act={act}>
      <Icon name={icon} />
      <span class="view-tool-name">{children}</span>
    </button>
  );
}

function Tools({ path, name }: { path: string; name: string }) {
  return (
    <div class="view-tools" role="toolbar" aria-label="Document tools">
      <fieldset class="view-group" data-pages hidden>
        <legend class="hidden-text">Place in the document</legend>
        <Tool act="previous" icon="up">
          Previous
        </Tool>
        <label class="view-page">
          <span class="view-unit" data-unit>
            Page
          </span>
          <input inputmode="numeric" autocomplete="off" size={3} data-page />
          <span>
            of <span data-count />
          </span>
        </label>
        <Tool act="next" icon="down">
          Next
        </Tool>
      </fieldset>
      <fieldset class="view-group" data-zooms hidden>
        <legend class="hidden-text">Size</legend>
        <Tool act="smaller" icon="minus">
          Smaller
        </Tool>
        <button
          class="view-tool view-percent"
          type="button"
          data-act="fit"
          title="Back to its first size"
        >
          <span data-percent>100%</span>
        </button>
        <Tool act="larger" icon="plus">
          Larger
        </Tool>
      </fieldset>
      <div class="view-group" data-full hidden>
        <Tool act="full" icon="maximize">
          Full screen
        </Tool>
      </div>
      <a class="view-tool named" href={path} download={name} data-download>
        <Icon name="download" />
        <span class="view-tool-name">Download</span>
      </a>
    </div>
  );
}

function ViewerPage({ label, path, files, nonce }: ViewerFacts) {
  const name = fileName(path);
  const kind = kindOfName(name);
  return (
    <html lang="en" dir="ltr">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta name="color-scheme" content="light dark" />
        <title>
          {name} · {label}
        </title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href={files + names["viewer.css"]} nonce={nonce} />
        <script type="module" src={files + names["viewer.js"]} nonce={nonce} />
      </head>
      <body data-path={path} data-files={files} data-frames={JSON.stringify(frameOf)}>
        <header class="view-bar">
          <a class="view-home" href="/" title={`To ${label}`}>
            <Mark />
            <span>{label}</span>
          </a>
          <div class="view-title">
            <h1 dir="auto">{name}</h1>
            <p data-kind>{kind === null ? "File" : kinds[kind].name}</p>
          </div>
          <Tools path={path} name={name} />
        </header>
        <main class="view-stage" id="stage" tabindex={-1} data-stage>
          <p class="view-status" role="status" data-status />
          <noscript>
            <div class="view-word">
              <h2>Showing it here needs JavaScript</h2>
              <p>
                Your browser opens the document itself, in a frame without network, and that takes a
                script. You can download it instead.
              </p>
              <p>
                <a class="button" href={path} download={name}>
                  Download {name}
                </a>
              </p>
            </div>
          </noscript>
        </main>
      </body>
    </html>
  );
}

export const viewer: Viewer = {
  page: (facts) => `<!doctype html>${String(<ViewerPage {...facts} />)}`,
  frames: framePolicies,
};
