/** Is a port of the device open from outside? A form, and what was found, in plain words. */

import { checkedPorts } from "../../protocol/reach.ts";
import type { Reachability } from "../../workers/devices/reachability.ts";
import { Notice } from "../components/form.tsx";
import type { DeviceProps } from "./device-subject.tsx";

/** What was found of a port. */
export interface Found {
  readonly port: number;
  readonly result: Reachability;
}

const words: Readonly<Record<Reachability, { tone: "good" | "brass"; says: string }>> = {
  "this-device": { tone: "good", says: "is open from outside, and it leads to this device." },
  open: {
    tone: "brass",
    says: "is open from outside. Something answers, but it does not say whether it is this device.",
  },
  "other-device": {
    tone: "brass",
    says: "is open from outside, but another machine answers. Look at what your router forwards.",
  },
  closed: {
    tone: "brass",
    says: "is closed: the connection is refused. Nothing is forwarded, or nothing listens there.",
  },
  filtered: {
    tone: "brass",
    says: "gives no answer. A firewall drops it, or your provider gives you no public address.",
  },
};

export function ReachabilitySubject({ device, found, errors }: DeviceProps) {
  const error = errors?.port;
  return (
    <section class="subject" aria-labelledby="outside">
      <header>
        <h2 id="outside">From outside</h2>
        <p>Whether a port that your router forwards is open.</p>
      </header>
      <div class="subject-body">
        {found !== undefined && (
          <Notice tone={words[found.result].tone} focus>
            <p>
              Port {found.port} {words[found.result].says}
            </p>
          </Notice>
        )}
        <form class="form" method="post" action={`/devices/${device.id}/reachability`}>
          <div class="field">
            <label for="port">Port</label>
            <select
              class="input"
              id="port"
              name="port"
              aria-invalid={error === undefined ? undefined : "true"}
              aria-describedby={error === undefined ? "port-hint" : "port-hint port-error"}
            >
              {Object.entries(checkedPorts).map(([port, name]) => (
                <option value={port} selected={Number(port) === (found?.port ?? 443)}>
                  {port}, {name}
                </option>
              ))}
            </select>
            <p class="hint" id="port-hint">
              We try it once, at the address that you ask from, so ask from home. Nothing is kept.
            </p>
            {error !== undefined && (
              <p class="error" id="port-error">
                {error}
              </p>
            )}
          </div>
          <p>
            <button class="button plain" type="submit">
              Try this port
            </button>
          </p>
        </form>
      </div>
    </section>
  );
}
