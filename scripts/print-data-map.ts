/** Prints the policy as Markdown: the human-readable form of the data map, column by column. Pure. */

import { kindInWords, type Policy } from "../workers/privacy/policy.ts";

/** The document docs/data-map.md. */
export function printDataMap(policy: Policy): string {
  const lines = [
    "# What Latchkey holds",
    "",
    "Generated from `db/data-map/` by `npm run docs`; do not edit. A gate compares the map with the",
    "live schema, the object store, cookies, the log and outgoing traffic, and fails on anything that",
    "is not declared here. The erasure of an account, the switching-off of a feature, the sweeps and",
    "the public privacy page are driven by the same map.",
    "",
    "## Classes of data",
    "",
  ];
  for (const { title, optional, classes } of policy.features) {
    lines.push(`### ${title}${optional ? " (off until its owner switches it on)" : ""}`, "");
    for (const entry of classes) {
      lines.push(
        `#### ${entry.title}`,
        "",
        ...table(
          ["", ""],
          [
            ["Name", `\`${entry.name}\``],
            ["What", entry.holds],
            ["Why", `${entry.why} (${entry.basis})`],
            ["How long", entry.live],
            ["Copies", entry.copies],
            ["Who sees it", entry.seenBy],
            ["What deletes it", entry.deletedBy],
            ["Where", entry.place],
            ["In your export", entry.inExport],
            ["Obligations", entry.obligations.join(", ")],
          ],
        ),
      );
    }
  }
  lines.push("## Cookies", "");
  lines.push(
    ...table(
      ["Cookie", "Kind", "What for", "How long"],
      policy.cookies.map((cookie) => [
        `\`${cookie.name}\``,
        cookie.kind,
        cookie.purpose,
        cookie.lifetime,
      ]),
    ),
  );
  lines.push("## Recipients", "", "Nothing else leaves.", "");
  lines.push(
    ...table(
      ["To", "What", "Why", "Fields"],
      policy.recipients.map((entry) => [
        entry.recipient,
        entry.what,
        entry.why,
        entry.fields.map((field) => `\`${field}\``).join(", "),
      ]),
    ),
  );
  lines.push("## Object storage", "");
  lines.push(
    ...table(
      ["Prefix", "Where", "What", "When it goes"],
      policy.objects.map((entry) => [`\`${entry.prefix}\``, entry.place, entry.holds, entry.erase]),
    ),
  );
  lines.push("## Tables, column by column", "");
  for (const entry of policy.tables) {
    const ends = entry.expires === null ? "" : ` A row goes when \`${entry.expires}\` has come.`;
    lines.push(
      `### ${entry.store}: \`${entry.name}\``,
      "",
      `Class: ${entry.class}. When an account is erased: ${entry.erase}.${ends}`,
      "",
      ...table(
        ["Column", "What it contains", "Class"],
        entry.columns.map((column) => [
          `\`${column.name}\``,
          kindInWords(column.kind),
          column.class,
        ]),
      ),
    );
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line), ""];
}
