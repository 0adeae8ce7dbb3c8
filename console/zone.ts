/** The time zone that a page is written in; pages that know none are written in UTC. */

import { createContext } from "hono/jsx";

export const ZoneContext = createContext("UTC");
