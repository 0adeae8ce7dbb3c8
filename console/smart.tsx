/**
 * The smart link `/<label>`: for people who are let in by name, a page that finds the nearest way to the
 * device; for everybody else the way to its door, whether or not there is one.
 */

import { checkLabel } from "../protocol/names.ts";
import { doorOrigin } from "../workers/config.ts";
import { noStore, service } from "../workers/http.ts";

import { smartLink } from "../workers/link/smart.ts";
import { pathBehindDoor } from "../workers/link/way-back.ts";
import { page } from "./page.ts";
import { SmartPage } from "./pages/smart.tsx";

export const smart = service();

smart.get("/:label", noStore, async (c, next) => {
  const label = c.req.param("label");
  if (checkLabel(label) !== null) return await next();
  const to = pathBehindDoor(c.req.query("to") ?? null);
  const stay = c.req.query("stay") !== undefined;
  const link = await smartLink(c.env, label, c.var.accountId ?? null);
  if (link === null || (link.candidates.length === 0 && !stay)) {
    c.header("referrer-policy", "no-referrer");
    return c.redirect(doorOrigin(c.env.config, label) + to, 303);
  }
  const connectTo = link.candidates.map(({ probe }) => probe);
  return page(
    c,
    { title: label, at: link.isOwner ? "devices" : undefined, connectTo },
    <SmartPage link={link} to={to} stay={stay} />,
  );
});
