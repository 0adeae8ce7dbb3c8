/** An entry of a navigation, which the command palette finds too. */

import { Icon, type IconName } from "./icons.tsx";

interface RailLinkProps {
  readonly href: string;
  readonly icon: IconName;
  readonly name: string;
  /** True on the page that it leads to. */
  readonly current: boolean;
}

export function RailLink({ href, icon, name, current }: RailLinkProps) {
  return (
    <a
      class="rail-link"
      href={href}
      aria-current={current ? "page" : undefined}
      data-command={name}
    >
      <Icon name={icon} />
      <span>{name}</span>
    </a>
  );
}
