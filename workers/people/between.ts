/**
 * What is between two people, from the two rows that say it, each in its own region. Pure.
 *
 * There is no transaction over two regions, so an act that was cut short leaves two rows that do not
 * fit. They are mended when either of them looks, by one rule: `asked` and `contact` mean that the
 * person of the row wants the contact; nobody's wish is ever made up, and where one of two is missing
 * there is no contact.
 */

import type { EdgeState, Visibility } from "../../db/queries/profiles.ts";

/** How a person sees what is between them and another. */
export type Relation = "contact" | "asking" | "asked" | "blocked" | "none";

/** What is done to a row that does not fit the other. */
export type Mend = "contact" | "asked" | "delete";

export interface Between {
  readonly relation: Relation;
  readonly mendMine?: Mend;
  readonly mendTheirs?: "contact";
}

const wants = (state: EdgeState | null) => state === "asked" || state === "contact";

/** What is between the person of `mine` and the one of `theirs`; null where there is no row. */
export function between(mine: EdgeState | null, theirs: EdgeState | null): Between {
  if (mine === "contact" && theirs === "contact") return { relation: "contact" };
  if (wants(mine) && wants(theirs)) {
    return {
      relation: "contact",
      ...(mine === "contact" ? {} : { mendMine: "contact" }),
      ...(theirs === "contact" ? {} : { mendTheirs: "contact" }),
    };
  }
  switch (mine) {
    case "contact":
      // The ask reached them and the answer to it did not reach me; else they are no contact any more.
      return theirs === "asking"
        ? { relation: "asked", mendMine: "asked" }
        : { relation: "none", mendMine: "delete" };
    case "asked":
      // Whatever they did with it: nobody learns by asking (ACC-9).
      return { relation: "asked" };
    case "asking":
      return wants(theirs) ? { relation: "asking" } : { relation: "none", mendMine: "delete" };
    case "blocked":
      return { relation: "blocked" };
    case "declined":
    case null:
      return { relation: "none" };
  }
}

/** Who looks at a profile, as far as it matters. */
export type Viewer = "self" | "contact" | "blocked" | "stranger";

/** Who `viewer` is to the owner of a profile, by both rows; `null`: nobody is signed in. */
export function viewerOf(
  owner: string,
  viewer: string | null,
  toViewer: EdgeState | null,
  toOwner: EdgeState | null,
): Viewer {
  if (viewer === owner) return "self";
  if (toViewer === "blocked") return "blocked";
  return viewer !== null && toViewer === "contact" && toOwner === "contact"
    ? "contact"
    : "stranger";
}

/** The one rule of who sees what (ACC-7, ACC-8). */
export function maySee(visibility: Visibility, viewer: Viewer): boolean {
  switch (viewer) {
    case "self":
      return true;
    case "blocked":
      return false;
    case "contact":
      return visibility !== "nobody";
    case "stranger":
      return visibility === "everyone";
  }
}
