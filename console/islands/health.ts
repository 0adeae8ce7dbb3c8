/** Keeps a device's connections and the picture of its traffic true; words and shapes are the server's. */

import {
  type HourOfTraffic,
  sayBytes,
  sayCount,
  slotsOf,
  TRAFFIC_HEIGHT,
  totalOf,
} from "../../protocol/traffic.ts";
import { writeTime } from "./time.ts";

interface Agent {
  readonly since: number;
  readonly heardAt: number;
  readonly agent: string;
  readonly service: string | null;
  readonly leaving: boolean;
  readonly streams: number;
}

/** What the device's description says beside what the page itself shows. */
export interface Health {
  readonly agents: readonly Agent[];
  readonly traffic: { readonly hours: readonly HourOfTraffic[] } | null;
}

export function showHealth(root: HTMLElement, { agents, traffic }: Health): void {
  const rows = root.querySelectorAll<HTMLElement>("[data-agent]");
  for (const [index, row] of rows.entries()) showAgent(row, agents[index] ?? null);
  const picture = root.querySelector<HTMLElement>("[data-traffic]");
  if (picture !== null && traffic !== null) showTraffic(picture, traffic.hours);
}

function showAgent(row: HTMLElement, agent: Agent | null): void {
  row.hidden = agent === null;
  if (agent === null) return;
  const state = agent.service ?? "unknown";
  row.dataset.service = state;
  for (const word of row.querySelectorAll<HTMLElement>("[data-service-word]")) {
    word.hidden = word.dataset.serviceWord !== state;
  }
  write(row, "[data-agent-name]", agent.agent);
  write(row, "[data-agent-streams]", String(agent.streams));
  const leaving = row.querySelector<HTMLElement>("[data-agent-leaving]");
  if (leaving !== null) leaving.hidden = !agent.leaving;
  writeMoment(row, "agent-since", agent.since);
  writeMoment(row, "agent-heard", agent.heardAt);
}

function showTraffic(picture: HTMLElement, hours: readonly HourOfTraffic[]): void {
  const slots = slotsOf(hours, Date.now());
  const total = totalOf(slots);
  const away = total.busy + total.overBudget;
  picture.dataset.traffic = total.requests + away > 0 ? "some" : "none";
  for (const name of ["requests", "busy", "overBudget"] as const) {
    write(picture, `[data-traffic-total="${name}"]`, sayCount(total[name]));
  }
  for (const name of ["fromDevice", "toDevice"] as const) {
    write(picture, `[data-traffic-total="${name}"]`, sayBytes(total[name]));
  }
  const note = picture.querySelector<HTMLElement>("[data-traffic-away]");
  if (note !== null) note.hidden = away === 0;
  for (const way of ["out", "in"] as const) {
    const bars = picture.querySelectorAll<SVGRectElement>(`[data-traffic-bar="${way}"]`);
    for (const [index, bar] of bars.entries()) {
      const height = slots[index]?.[way] ?? 0;
      bar.setAttribute("height", String(height));
      bar.setAttribute("y", String(TRAFFIC_HEIGHT - height));
    }
  }
  for (const [index, row] of picture.querySelectorAll("[data-traffic-row]").entries()) {
    const slot = slots[index];
    const time = row.querySelector("time");
    if (slot === undefined || time === null) continue;
    time.dateTime = new Date(slot.at).toISOString();
    writeTime(time);
    const [requests, out, into] = row.querySelectorAll("td");
    if (requests !== undefined) requests.textContent = sayCount(slot.requests);
    if (out !== undefined) out.textContent = sayBytes(slot.fromDevice);
    if (into !== undefined) into.textContent = sayBytes(slot.toDevice);
  }
}

function write(root: HTMLElement, selector: string, text: string): void {
  const element = root.querySelector(selector);
  if (element !== null) element.textContent = text;
}

function writeMoment(root: HTMLElement, bind: string, at: number): void {
  const time = root.querySelector<HTMLTimeElement>(`time[data-bind="${bind}"]`);
  if (time === null) return;
  time.dateTime = new Date(at).toISOString();
  writeTime(time);
}
