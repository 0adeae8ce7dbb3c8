/** A page or a form of the console, as a browser asks for it that is signed in and follows no redirect. */

import { handle } from "../../workers/app.ts";
import type { Ports } from "../../workers/ports.ts";
import type { NewSession } from "../support/person.ts";

/** What came: `text` with its white space folded. */
export interface Browsed {
  readonly status: number;
  readonly text: string;
  readonly location: string | null;
}

/** @param form what is sent; without it the page is read */
export async function browseAs(
  { token }: NewSession,
  ports: Ports,
  path: string,
  form?: Record<string, string>,
): Promise<Browsed> {
  const request = new Request(ports.config.origin + path, {
    method: form === undefined ? "GET" : "POST",
    headers: {
      accept: "text/html",
      "sec-fetch-site": "same-origin",
      cookie: `__Host-sid=${token}`,
      ...(form && { "content-type": "application/x-www-form-urlencoded" }),
    },
    body: form === undefined ? null : new URLSearchParams(form).toString(),
  });
  const response = await handle(request, ports);
  const text = (await response.text()).replaceAll(/\s+/g, " ");
  return { status: response.status, text, location: response.headers.get("location") };
}
