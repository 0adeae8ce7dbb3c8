/**
 * What passed a device's door in the last 24 hours: two bars an hour, out of the device and into it.
 * Counts and bytes, never what and never whose. A screen reader gets a table instead; the live island
 * (islands/health.ts) keeps both true.
 */

import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { sayBytes, sayCount, slotsOf, TRAFFIC_HEIGHT, totalOf } from "../../protocol/traffic.ts";
import { Time } from "../components/time.tsx";

const SLOT_WIDTH = 30;
const BAR_WIDTH = 11;
const GAP = 2;

export function Traffic({ device, now }: { device: DeviceDescription; now: number }) {
  const hours = device.traffic?.hours ?? [];
  const slots = slotsOf(hours, now);
  const total = totalOf(slots);
  const away = total.busy + total.overBudget;
  return (
    <div class="traffic" data-traffic={total.requests + away > 0 ? "some" : "none"}>
      <p class="traffic-none">
        Nothing has passed in the last 24 hours. Open the door from another network, and you will
        see it here.
      </p>
      <div class="traffic-some">
        <p>
          <strong data-traffic-total="requests">{sayCount(total.requests)}</strong> requests,{" "}
          <strong data-traffic-total="fromDevice">{sayBytes(total.fromDevice)}</strong> out of the
          device and <strong data-traffic-total="toDevice">{sayBytes(total.toDevice)}</strong> into
          it.
        </p>
        <figure>
          <svg
            viewBox={`0 0 ${24 * SLOT_WIDTH} ${TRAFFIC_HEIGHT + 2}`}
            preserveAspectRatio="none"
            aria-hidden="true"
            focusable="false"
          >
            {slots.map((slot, index) => (
              <>
                <rect
                  class="traffic-out"
                  data-traffic-bar="out"
                  x={index * SLOT_WIDTH + GAP}
                  y={TRAFFIC_HEIGHT - slot.out}
                  width={BAR_WIDTH}
                  height={slot.out}
                />
                <rect
                  class="traffic-in"
                  data-traffic-bar="in"
                  x={index * SLOT_WIDTH + GAP + BAR_WIDTH + GAP}
                  y={TRAFFIC_HEIGHT - slot.in}
                  width={BAR_WIDTH}
                  height={slot.in}
                />
              </>
            ))}
            <path class="traffic-floor" d={`M0 ${TRAFFIC_HEIGHT + 1}H${24 * SLOT_WIDTH}`} />
          </svg>
          <figcaption aria-hidden="true">
            <span>24 hours ago</span>
            <span class="traffic-key">
              <i class="traffic-out" /> out
            </span>
            <span class="traffic-key">
              <i class="traffic-in" /> in
            </span>
            <span>now</span>
          </figcaption>
        </figure>
        <div class="hidden-text">
          <table>
            <caption>
              What passed the door of {device.label}, hour by hour, the oldest first
            </caption>
            <thead>
              <tr>
                <th scope="col">Hour</th>
                <th scope="col">Requests</th>
                <th scope="col">Out</th>
                <th scope="col">In</th>
              </tr>
            </thead>
            <tbody>
              {slots.map((slot) => (
                <tr data-traffic-row>
                  <th scope="row">
                    <Time at={slot.at} now={now} />
                  </th>
                  <td>{sayCount(slot.requests)}</td>
                  <td>{sayBytes(slot.fromDevice)}</td>
                  <td>{sayBytes(slot.toDevice)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <p class="traffic-away" data-traffic-away hidden={away === 0}>
          <strong data-traffic-total="busy">{sayCount(total.busy)}</strong> turned away because too
          many were on the way,{" "}
          <strong data-traffic-total="overBudget">{sayCount(total.overBudget)}</strong> because a
          limit of whoever runs this service was reached.
        </p>
      </div>
    </div>
  );
}
