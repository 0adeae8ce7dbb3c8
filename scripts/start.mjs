/**
 * `npm start`. Plain JavaScript that any Node can read, so that an old one gets a sentence instead of
 * a syntax error; everything else is in local/start.ts.
 */

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `Latchkey needs Node 22.18 or newer; this is ${process.versions.node}. ` +
      "Run `npm install && npm start`: it brings a Node of its own.",
  );
  process.exit(1);
}

const { start } = await import("./local/start.ts");
await start(process.argv.slice(2));
