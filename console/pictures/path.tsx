/**
 * The path: visitor → same network / direct / relay → device. The open way is lit; the others say why
 * not. Drawn twice, for a wide and a narrow place; a screen reader gets a table instead.
 *
 * Which words and colors show follows `data-live` on an ancestor, so the picture lives without script
 * making any of it.
 */

import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import type { Reach } from "../../protocol/reach.ts";

interface Way {
  readonly name: string;
  /** What can be said of it by the device's live state. */
  readonly why: Readonly<Record<"online" | "offline" | "unseen" | "off", string>>;
  /** Lit while the device is online. */
  readonly open: boolean;
}

function always(text: string): Way["why"] {
  return { online: text, offline: text, unseen: text, off: text };
}

/** A way past the relay, by what the box says of it. */
function nearWay(name: string, { features }: DeviceDescription, isSaid: boolean): Way {
  if (!features.lan) return { name, why: always("the shortcut is off"), open: false };
  const open = isSaid && features.link;
  return { name, why: always(open ? "for people let in by name" : "not offered"), open };
}

/** The three ways to a device, in the order a visitor would prefer them. */
export function waysOf(
  device: DeviceDescription,
  reach: Reach | null = null,
): readonly [Way, Way, Way] {
  const relay: Way = {
    name: "Through our relay",
    why: device.features.link
      ? {
          online: "open · speed not measured yet",
          offline: "waits for the device",
          unseen: "waits for the device",
          off: "the door is off",
        }
      : always("the door is off"),
    open: device.features.link,
  };
  return [
    nearWay("Same network", device, reach !== null && reach.home.length > 0),
    nearWay("Direct", device, reach !== null && reach.direct !== null),
    relay,
  ];
}

/** The large picture on a device's page. */
export function Path({ device, reach }: { device: DeviceDescription; reach: Reach | null }) {
  const ways = waysOf(device, reach);
  return (
    <figure class="path">
      <WidePath ways={ways} />
      <TallPath ways={ways} />
      <div class="hidden-text">
        <table>
          <caption>Ways from a visitor to {device.label}</caption>
          <thead>
            <tr>
              <th scope="col">Way</th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {ways.map((way) => (
              <tr>
                <th scope="row">{way.name}</th>
                <td>
                  <Whys way={way} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}

function Whys({ way }: { way: Way }) {
  if (new Set(Object.values(way.why)).size === 1) return <>{way.why.off}</>;
  return (
    <>
      {Object.entries(way.why).map(([live, text]) => (
        <span class={`when when-${live}`}>{text}</span>
      ))}
    </>
  );
}

/** The same as tspans, each shown by its live state. */
function WhyText({ way, x, y }: { way: Way; x: number; y: number }) {
  const same = new Set(Object.values(way.why)).size === 1;
  const variants = same ? [["", way.why.off]] : Object.entries(way.why);
  return (
    <>
      {variants.map(([live, text]) => (
        <text
          class={`path-why path-halo ${live === "" ? "" : `when when-${live}`}`}
          x={x}
          y={y}
          text-anchor="middle"
        >
          {text}
        </text>
      ))}
    </>
  );
}

function Lane({ way, d }: { way: Way; d: string }) {
  return (
    <>
      <path class={way.open ? "way-ready" : "way"} d={d} />
      {way.open && <path class="way-lit" d={d} pathLength={1} />}
    </>
  );
}

function Visitor({ x, y }: { x: number; y: number }) {
  return (
    <g transform={`translate(${x} ${y})`}>
      <circle class="stop-end" r="28" />
      <g class="stop-sign" transform="translate(-13 -13) scale(1.08)">
        <path d="M19 21v-2a4 4 0 0 0-4-4H9a4 4 0 0 0-4 4v2" />
        <circle cx="12" cy="7" r="4" />
      </g>
    </g>
  );
}

function Home({ x, y }: { x: number; y: number }) {
  return (
    <g transform={`translate(${x} ${y})`}>
      <path class="stop-door" d="M-25 36V-6a25 25 0 0 1 50 0v42z" />
      <path class="stop-key" d="M0-8a8 8 0 0 0-4 15l-3 13h14l-3-13a8 8 0 0 0-4-15z" />
    </g>
  );
}

function WidePath({ ways }: { ways: readonly [Way, Way, Way] }) {
  const heights = [50, 140, 230] as const;
  return (
    <svg class="wide" viewBox="0 12 960 264" aria-hidden="true" focusable="false">
      {ways.map((way, index) => {
        const y = heights[index] as number;
        const lane =
          y === 140
            ? "M112 140H848"
            : `M112 140C190 140 170 ${y} 270 ${y}H690C790 ${y} 770 140 848 140`;
        return (
          <g class={way.open ? "path-open" : "path-off"}>
            <Lane way={way} d={lane} />
            {way.open && <circle class="stop" cx="480" cy={y} r="9" />}
            <text
              class="path-name path-halo"
              x="480"
              y={y - (way.open ? 20 : 14)}
              text-anchor="middle"
            >
              {way.name}
            </text>
            <WhyText way={way} x={480} y={y + (way.open ? 34 : 24)} />
          </g>
        );
      })}
      <Visitor x={76} y={140} />
      <text class="path-name" x="76" y="198" text-anchor="middle">
        A visitor
      </text>
      <text class="path-why" x="76" y="219" text-anchor="middle">
        anywhere
      </text>
      <Home x={884} y={134} />
      <text class="path-name" x="884" y="198" text-anchor="middle">
        Your device
      </text>
      <text class="path-why" x="884" y="219" text-anchor="middle">
        at home
      </text>
    </svg>
  );
}

function TallPath({ ways }: { ways: readonly [Way, Way, Way] }) {
  const columns = [62, 180, 298] as const;
  return (
    <svg class="tall" viewBox="0 0 360 500" aria-hidden="true" focusable="false">
      <text class="path-name" x="180" y="20" text-anchor="middle">
        A visitor, anywhere
      </text>
      {ways.map((way, index) => {
        const x = columns[index] as number;
        const lane =
          x === 180
            ? "M180 100V402"
            : `M180 100C180 150 ${x} 130 ${x} 180V320C${x} 370 180 350 180 402`;
        return (
          <g class={way.open ? "path-open" : "path-off"}>
            <Lane way={way} d={lane} />
          </g>
        );
      })}
      {ways.map((way, index) => {
        const x = columns[index] as number;
        const words = way.name.split(" ");
        const lines = words.length > 2 ? [words.slice(0, 2).join(" "), words[2]] : [way.name];
        return (
          <g class={way.open ? "path-open" : "path-off"}>
            <rect
              class="path-cover"
              x={x - 54}
              y="212"
              width="108"
              height={(lines.length + rowsOf(way)) * 19 + 6}
            />
            {way.open && <circle class="stop" cx={x} cy="196" r="8" />}
            {lines.map((line, row) => (
              <text class="path-name path-halo" x={x} y={228 + row * 19} text-anchor="middle">
                {line}
              </text>
            ))}
            {Object.entries(way.why).map(([live, text]) => (
              <g class={`when when-${live}`}>
                {text
                  .split(" · ")
                  .flatMap(twoLines)
                  .map((line, row) => (
                    <text
                      class="path-why path-halo"
                      x={x}
                      y={230 + (lines.length + row) * 19}
                      text-anchor="middle"
                    >
                      {line}
                    </text>
                  ))}
              </g>
            ))}
          </g>
        );
      })}
      <Visitor x={180} y={64} />
      <Home x={180} y={428} />
      <text class="path-name" x="180" y="490" text-anchor="middle">
        Your device, at home
      </text>
    </svg>
  );
}

/** How many lines the longest reason takes in a column. */
function rowsOf(way: Way): number {
  return Math.max(
    ...Object.values(way.why).map((text) => text.split(" · ").flatMap(twoLines).length),
  );
}

/** Breaks a phrase in the middle when it would be wider than a column. */
function twoLines(phrase: string): string[] {
  if (phrase.length <= 16) return [phrase];
  const words = phrase.split(" ");
  const half = Math.ceil(words.length / 2);
  return [words.slice(0, half).join(" "), words.slice(half).join(" ")];
}

/** The small picture on a card: visitor, relay, device. */
export function SmallPath({ device }: { device: DeviceDescription }) {
  const open = device.features.link;
  return (
    <svg class="path-small" viewBox="0 0 240 24" aria-hidden="true" focusable="false">
      <g class={open ? "path-open" : "path-off"}>
        <path class={open ? "way-ready" : "way"} d="M16 12H214" />
        {open && <path class="way-lit" d="M16 12H214" pathLength={1} />}
        <circle class="stop" cx="115" cy="12" r="5" />
      </g>
      <circle class="stop-end" cx="9" cy="12" r="7" />
      <g transform="translate(227 11) scale(.3)">
        <path class="stop-door" d="M-25 36V-6a25 25 0 0 1 50 0v42z" />
      </g>
    </svg>
  );
}
