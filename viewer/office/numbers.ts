/**
 * How a number in a sheet reads: as a date, with its decimals, as a percentage. It follows the common
 * part of the format codes (ECMA-376-1 §18.8.30–31); colors, conditions and scientific forms are left.
 */

const DAY_MS = 86_400_000;
/** Day 0 of the calendar from 1900, which counts a 29 February 1900 that never was; and of 1904. */
const EPOCH_1900 = Date.UTC(1899, 11, 30);
const EPOCH_1904 = Date.UTC(1904, 0, 1);

/** Built-in codes that a file does not spell out. */
const builtIn: Readonly<Record<number, string>> = {
  1: "0",
  2: "0.00",
  3: "#,##0",
  4: "#,##0.00",
  9: "0%",
  10: "0.00%",
  14: "yyyy-mm-dd",
  15: "yyyy-mm-dd",
  16: "yyyy-mm-dd",
  17: "yyyy-mm-dd",
  18: "hh:mm",
  19: "hh:mm:ss",
  20: "hh:mm",
  21: "hh:mm:ss",
  22: "yyyy-mm-dd hh:mm",
  37: "#,##0",
  38: "#,##0",
  39: "#,##0.00",
  40: "#,##0.00",
  45: "hh:mm:ss",
  46: "hh:mm:ss",
  47: "hh:mm:ss",
};

/** The code of a format; `General` where none is known. */
export function formatCode(id: number, own: ReadonlyMap<number, string>): string {
  return own.get(id) ?? builtIn[id] ?? "General";
}

/** @param from1904 the file counts its days from 1904 */
export function formatNumber(value: number, code: string, from1904: boolean): string {
  const first = code.split(";")[0] ?? "";
  const bare = first.replace(/"[^"]*"|\\.|_.|\*.|\[[^\]]*\]/g, "");
  if (bare === "" || /general/i.test(bare)) return plainNumber(value);
  if (/[ymdhs]/i.test(bare)) return formatDate(value, bare, from1904);
  const decimals = /\.([0#?]+)/.exec(bare)?.[1]?.length ?? 0;
  const least = /\.(0+)/.exec(bare)?.[1]?.length ?? 0;
  const percent = bare.includes("%");
  const number = new Intl.NumberFormat(undefined, {
    minimumFractionDigits: Math.min(least, 20),
    maximumFractionDigits: Math.min(decimals, 20),
    useGrouping: bare.includes(","),
  }).format(percent ? value * 100 : value);
  const [before, after] = words(first);
  return `${before}${number}${percent ? "%" : ""}${after}`;
}

/** What stands in a code as it is: `"CHF "`, `[$€-407]`, `€`, before and after the digits. */
function words(code: string): [before: string, after: string] {
  const spelled = code
    .replace(/\[\$([^\]-]*)(?:-[^\]]*)?\]/g, '"$1"')
    .replace(/\[[^\]]*\]|_.|\*./g, "")
    .replace(/\\(.)/g, '"$1"');
  const digits = /[0#?][0#?,. ]*/.exec(spelled);
  const plain = (text: string) => text.replaceAll('"', "").replaceAll("%", "");
  if (digits === null) return ["", ""];
  return [
    plain(spelled.slice(0, digits.index)),
    plain(spelled.slice(digits.index + digits[0].length)).replace(/^[0#?,.]+/, ""),
  ];
}

function plainNumber(value: number): string {
  // As many digits as a sheet has; a double's last ones are noise.
  return String(Number(value.toPrecision(11)));
}

function formatDate(value: number, code: string, from1904: boolean): string {
  const date = new Date((from1904 ? EPOCH_1904 : EPOCH_1900) + Math.round(value * DAY_MS));
  if (Number.isNaN(date.getTime())) return plainNumber(value);
  const iso = date.toISOString();
  const [day, time] = [iso.slice(0, 10), iso.slice(11, /s/i.test(code) ? 19 : 16)];
  const [hasDay, hasTime] = [/[yd]/i.test(code) || !/[hs]/i.test(code), /[hs]/i.test(code)];
  return [hasDay ? day : null, hasTime ? time : null].filter((part) => part !== null).join(" ");
}
