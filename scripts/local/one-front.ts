/**
 * Puts what a worker always starts with into one module. esbuild cuts a module of its own out of whatever
 * the start and a later module have in common; yet a later one finds the start loaded already, and takes it
 * from there. What would be thirty small modules, each packed for itself and naming what it gives and
 * takes, is one (docs/decisions/weight.md).
 */

import { basename } from "node:path";
import { build, type Plugin } from "esbuild";

/** The texts of modules, by their names; there are no folders. */
type Modules = ReadonlyMap<string, string>;

/** What a module of the start is asked for by later ones: its own names, and those it goes by there. */
type Taken = ReadonlyMap<string, ReadonlyMap<string, string>>;

const FRONT = "front.mjs";
/** An import as esbuild writes it, minified. */
const IMPORT = /import(?:\{([^}]*)\}from)?"\.\/([\w-]+\.mjs)";/g;
const ANY_IMPORT = /\b(?:from|import)[\s(]*"\.\/([\w-]+\.mjs)"/g;
const EXPORT = /export\{([^}]*)\};?\s*$/;

/**
 * The same worker with its start in one module. `entry` stays, and names what the worker exports and no
 * more: the platform takes each of its exports for something to be called.
 */
export async function withOneFront(modules: Modules, entry: string): Promise<Map<string, string>> {
  const start = startOf(modules, entry);
  const { late, taken } = takenFromStart(modules, start);
  const exported = exportsOf(modules.get(entry) ?? "");
  const front = [
    exporting(new Map(exported.map((name, at) => [name, `e${at}`])), entry),
    ...[...taken].map(([from, names]) => exporting(names, from)),
  ];
  const parts = [...modules].filter(([name]) => start.has(name));
  const built = await together(new Map([...parts, ...late, [FRONT, front.join("\n")]]));
  const whole = new Map(exported.map((name, at) => [`e${at}`, name]));
  return new Map([[entry, `${exporting(whole, FRONT)}\n`], ...built]);
}

/** The entry and all that it cannot begin without. */
function startOf(modules: Modules, entry: string): ReadonlySet<string> {
  const start = new Set([entry]);
  for (const name of start) {
    for (const [, , from] of (modules.get(name) ?? "").matchAll(IMPORT)) start.add(from ?? "");
  }
  return start;
}

/** The other modules, taking from the front what they took from parts of the start. */
function takenFromStart(
  modules: Modules,
  start: ReadonlySet<string>,
): { readonly late: Modules; readonly taken: Taken } {
  const late = new Map<string, string>();
  const taken = new Map<string, Map<string, string>>();
  let count = 0;
  const inFront = (from: string, name: string): string => {
    const names = taken.get(from) ?? new Map<string, string>();
    taken.set(from, names);
    const known = names.get(name) ?? `t${(count++).toString(36)}`;
    names.set(name, known);
    return known;
  };
  for (const [name, text] of modules) {
    if (start.has(name)) continue;
    const moved = text.replace(IMPORT, (whole, list: string | undefined, from: string) => {
      if (!start.has(from)) return whole;
      if (list === undefined) return ""; // it has run already
      const pairs = list.split(",").map((pair) => pair.split(" as "));
      const names = pairs.map(([own = "", as = own]) => `${inFront(from, own)} as ${as}`);
      return `import{${names.join()}}from"./${FRONT}";`;
    });
    late.set(name, moved);
  }
  for (const [name, text] of late) {
    for (const [, from = ""] of text.matchAll(ANY_IMPORT)) {
      // Taken from there, it would run a second time.
      if (start.has(from)) throw new Error(`${name} takes ${from} in a way that is not known`);
    }
  }
  return { late, taken };
}

function exportsOf(text: string): string[] {
  const list = EXPORT.exec(text)?.[1]?.split(",") ?? [];
  return list.map((pair) => pair.split(" as ").at(-1) ?? pair);
}

function exporting(names: ReadonlyMap<string, string>, from: string): string {
  return `export{${[...names].map(([name, as]) => `${name} as ${as}`).join()}}from"./${from}";`;
}

/** The start as one module, which the later ones name but do not hold. */
async function together(modules: Modules): Promise<Map<string, string>> {
  const held: Plugin = {
    name: "held",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^\.\/[\w-]+\.mjs$/ }, ({ path, importer }) =>
        basename(path) === FRONT && importer !== ""
          ? { path, external: true }
          : { path: basename(path), namespace: "held" },
      );
      onLoad({ filter: /.*/, namespace: "held" }, ({ path }) => ({
        contents: modules.get(path) ?? "",
      }));
    },
  };
  const { outputFiles } = await build({
    entryPoints: [`./${FRONT}`],
    bundle: true,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:*", "node:*", "*.wasm"],
    splitting: true,
    chunkNames: "[hash]",
    outExtension: { ".js": ".mjs" },
    minify: true,
    write: false,
    outdir: "out",
    logLevel: "error",
    plugins: [held],
  });
  return new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
}
