/**
 * The smart link's page: three ways to a device, of which the browser takes the nearest. All words are
 * here; the island (islands/smart.ts) shows which of them hold. Without it the relay is one click away.
 */

import type { WayTo } from "../../protocol/smart-link.ts";
import type { SmartLink } from "../../workers/link/smart.ts";
import { Icon, type IconName } from "../components/icons.tsx";

interface Row {
  readonly way: WayTo;
  readonly icon: IconName;
  readonly name: string;
  readonly means: string;
}

const rows: readonly Row[] = [
  {
    way: "home",
    icon: "house",
    name: "Your home network",
    means: "Straight to the box, without leaving the house.",
  },
  {
    way: "direct",
    icon: "globe",
    name: "Direct",
    means: "Over the internet to the box’s own name, past us.",
  },
  {
    way: "relay",
    icon: "door",
    name: "Through our relay",
    means: "Works from anywhere. What passes is never stored.",
  },
];

/** What can be said of a way; the island chooses one. */
const states = {
  idle: "not asked yet",
  asking: "asking …",
  proven: "answered, and proved to be the box",
  silent: "no answer from here",
  liar: "something answered, but it is not the box",
  permission: "your browser wants to ask you first",
  ready: "always open",
  taken: "the way you get",
  none: "not offered",
} as const;

interface SmartProps {
  readonly link: SmartLink;
  /** The path on the device. */
  readonly to: string;
  /** The page shows what it found and goes nowhere. */
  readonly stay: boolean;
}

export function SmartPage({ link, to, stay }: SmartProps) {
  const { label, candidates, publicKey, relay } = link;
  const data = { label, candidates, publicKey, relay, to, stay };
  return (
    <div class="narrow smart" data-smart={JSON.stringify(data)}>
      <header>
        <h1>The way to {label}</h1>
        <p class="lead" role="status" data-smart-say>
          Our relay leads there. Finding a nearer way takes JavaScript.
        </p>
      </header>
      <ol class="ways">
        {rows.map((row) => (
          <WayRow row={row} offered={isOffered(link, row.way)} />
        ))}
      </ol>
      <p class="actions">
        <a class="button" href={relay + to} data-smart-go>
          <Icon name="door" />
          Open {label}
        </a>
        <button class="button plain" type="button" data-smart-look hidden>
          Look in my home network
        </button>
      </p>
      <p class="aside" data-smart-memory hidden>
        This browser remembers which way was right last time.{" "}
        <button class="button plain small" type="button" data-smart-forget>
          Forget it
        </button>
      </p>
      <template data-smart-words>{JSON.stringify(words(label))}</template>
      {link.isOwner && <OwnerNote link={link} />}
    </div>
  );
}

function isOffered({ candidates }: SmartLink, way: WayTo): boolean {
  return way === "relay" || candidates.some((candidate) => candidate.way === way);
}

function WayRow({ row, offered }: { row: Row; offered: boolean }) {
  const { way, icon, name, means } = row;
  return (
    <li data-way={way} data-state={way === "relay" ? "ready" : offered ? "idle" : "none"}>
      <Icon name={icon} />
      <div>
        <b>{name}</b>
        <small>{means}</small>
      </div>
      <p>
        {Object.entries(states).map(([state, text]) => (
          <span class={`state-${state}`}>{text}</span>
        ))}
        <span class="smart-ms" data-ms={way === "relay" ? "to us" : ""} />
      </p>
    </li>
  );
}

/** Sentences for the one line that a screen reader hears. */
function words(label: string) {
  return {
    asking: `Looking for the nearest way to ${label} …`,
    home: `${label} is in your network. Opening it there.`,
    direct: `${label} answers directly. Opening it there.`,
    relay: `No nearer way from here. Opening ${label} through our relay.`,
    stayHome: `${label} is in your network.`,
    stayDirect: `${label} answers directly.`,
    stayRelay: `From here, the way to ${label} is our relay.`,
    forgotten: "Forgotten. This browser remembers nothing of it.",
  };
}

function OwnerNote({ link }: { link: SmartLink }) {
  return (
    <p class="aside">
      {link.candidates.length === 0
        ? "No nearer way is offered: the shortcut is off, or the box has not said where it is."
        : "Only you and people you let in by name learn of the nearer ways."}{" "}
      <a href={`/devices/${link.deviceId}#shortcut`}>The shortcut of {link.label}</a>
    </p>
  );
}
