/**
 * Leaves out of the bundle what libraries bring along and we never run, where no import can say so. Whatever
 * reaches for it is refused with a sentence. Together it would be a quarter of all code
 * (docs/decisions/weight.md).
 */

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Plugin } from "esbuild";

interface Unused {
  readonly files: RegExp;
  /** What is said to who calls it after all. */
  readonly why: string;
}

const unused: readonly Unused[] = [
  {
    // A passkey's attestation is neither asked for nor read (workers/sign-in/webauthn-library.ts), so no
    // certificate ever is.
    files:
      /@simplewebauthn\/server\/esm\/.*\/(?:verifyAttestation\w+|convertX509PublicKeyToCOSE|getCertificateInfo|isCertRevoked|mapX509SignatureAlgToCOSEAlg|validateCertificatePath|validateExtFIDOGenCEAAGUID|verifyMDSBlob)\.js$/,
    why: "attestation is not read here",
  },
  {
    // docs/openapi.json is generated where the documents are.
    files: /\/zod\/v4\/core\/(?:json-schema-processors|to-json-schema)\.js$/,
    why: "schemas are not written down here",
  },
  {
    // A mail of ours has no attachment, and none that would be fetched.
    files: /\/nodemailer\/dist\/esm\/fetch\/index\.js$/,
    why: "nothing is fetched for a mail",
  },
  {
    // Our tables hold texts and integers (db/schema).
    files: /\/drizzle-orm\/sqlite-core\/columns\/(?:blob|custom|numeric|real)\.js$/,
    why: "no column is of this kind",
  },
  {
    // What the makers of keys say about their keys: without attestation nobody asks.
    files:
      /@simplewebauthn\/server\/esm\/(?:services\/metadataService|helpers\/convertCertBufferToPEM)\.js$/,
    why: "attestation is not read here",
  },
  {
    // Pages are whole when they leave.
    files: /\/hono\/dist\/jsx\/(?:streaming|components|dom\/components)\.js$/,
    why: "no page is sent in parts",
  },
  {
    // Another application below a path of this one.
    files: /\/hono\/dist\/utils\/mount\.js$/,
    why: "no application is mounted",
  },
  {
    // Queries name their tables themselves (db/queries).
    files: /\/drizzle-orm\/(?:relations|sqlite-core\/query-builders\/query)\.js$/,
    why: "no table is asked for by its relations",
  },
];

/** Certificates of the makers of keys, as constants. */
const ROOTS = /@simplewebauthn\/server\/esm\/services\/defaultRootCerts\/[\w-]+\.js$/;

/** Takes modules whole from an index, of which all would be kept. */
const TAKING_WHOLE = /\/zod\/v4\/classic\/schemas\.js$|@simplewebauthn\/server\/esm\/[\w/]+\.js$/;

/** Draws JSX in a browser's page. Here it becomes text: nothing is ever being drawn. */
const DRAWING = /\/hono\/dist\/jsx\/dom\/render\.js$/;

/** What has a word of another kind for what we never have. */
const others: readonly { readonly files: RegExp; readonly contents: string }[] = [
  {
    // Elements as a browser's page draws them.
    files: /\/hono\/dist\/jsx\/dom\/intrinsic-element\/components\.js$/,
    contents: "export const components_exports = {};",
  },
  {
    // PostgreSQL's kinds of values, for which every piece of a statement is looked at.
    files: /\/drizzle-orm\/pg-core\/columns\/enum\.js$/,
    contents: "export const isPgEnum = () => false;",
  },
];

export const withoutUnused: Plugin = {
  name: "without-unused",
  setup({ onLoad, onResolve }) {
    for (const { files, why } of unused) {
      onLoad({ filter: files }, async ({ path }) => ({
        contents: refusing(await readFile(path, "utf8"), why),
      }));
    }
    for (const { files, contents } of others) onLoad({ filter: files }, () => ({ contents }));
    onLoad({ filter: DRAWING }, () => ({
      contents: `export const buildDataStack = [];
        const refuse = () => { throw new Error("nothing is drawn here"); };
        export { refuse as update, refuse as createPortal, refuse as getNameSpaceContext };`,
    }));
    onLoad({ filter: ROOTS }, async ({ path }) => {
      const names = (await readFile(path, "utf8")).matchAll(/^export const (\w+)/gm);
      return { contents: [...names].map(([, name]) => `export const ${name} = "";`).join("\n") };
    });
    onLoad({ filter: TAKING_WHOLE }, async ({ path }) => ({ contents: await fromOwnFiles(path) }));
    onResolve({ filter: /^@peculiar\/asn1-(?:schema|ecc)$/ }, () => ({
      path: join(import.meta.dirname, "../../workers/sign-in/ecdsa-signature.ts"),
    }));
  },
};

/** A module with the same exports, each of which refuses; what only makes a function makes one that does. */
function refusing(source: string, why: string): string {
  const names = [...source.matchAll(/^export (?:async )?(?:function|const) (\w+)/gm)].map(
    ([, name]) => name as string,
  );
  const lists = [...source.matchAll(/^export \{([^}]*)\};?$/gm)].map(([, list]) => list as string);
  const renamed = lists.flatMap((list) =>
    [...list.matchAll(/(\w+)\s*(?:,|$)/g)].map(([, name]) => name),
  );
  const lines = [
    `const refuse = () => { throw new Error(${JSON.stringify(why)}); };`,
    ...names.map(
      (name) => `export const ${name} = ${name.startsWith("create") ? "() => refuse" : "refuse"};`,
    ),
    ...renamed.map((name) => `export { refuse as ${name} };`),
  ];
  if (/^export default /m.test(source)) lines.push("export default refuse;");
  return lines.join("\n");
}

/** A module that takes others whole from their own files, not from an index: then only what is used stays. */
async function fromOwnFiles(path: string): Promise<string> {
  let text = await readFile(path, "utf8");
  const imports = [...text.matchAll(/^import \{ ([\w, ]+) \} from ["'](\S*\/)index\.js["'];$/gm)];
  for (const [statement, names = "", folder = ""] of imports) {
    const index = await readFile(join(dirname(path), folder, "index.js"), "utf8");
    const wholes = new Map(
      [...index.matchAll(/^export \* as (\w+) from ["']\.\/(\S+)["'];$/gm)].map(
        ([, name = "", file = ""]) => [name, `import * as ${name} from "${folder}${file}";`],
      ),
    );
    const taken = names.split(", ").map((name) => wholes.get(name));
    if (taken.some((line) => line === undefined)) continue;
    text = text.replace(statement, taken.join("\n"));
    // The same again, by way of the index as a whole.
    text = text.replace(new RegExp(`\\bcore\\.(${names.replaceAll(", ", "|")})\\.`, "g"), "$1.");
  }
  return text;
}
