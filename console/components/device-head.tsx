/** The head of a page about one side of a device: the way back to it, what the page is, and a line below. */

import type { Child } from "hono/jsx";

interface DeviceHeadProps {
  readonly device: { readonly id: string; readonly label: string };
  readonly title: string;
  readonly children: Child;
}

export function DeviceHead({ device, title, children }: DeviceHeadProps) {
  return (
    <header class="page-head">
      <div>
        <a class="crumb" href={`/devices/${device.id}`}>
          {device.label}
        </a>
        <h1>{title}</h1>
        {children}
      </div>
    </header>
  );
}
