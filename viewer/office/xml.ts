/**
 * The XML in an office file. It has no document type (ECMA-376-2 §8.2.5), so whatever brings one is
 * refused before a parser sees an entity.
 */

import { limits } from "../../protocol/limits.ts";
import { decodeText } from "../decode.ts";
import { Unshown } from "../unshown.ts";
import type { Zip } from "./zip.ts";

/** The text of a part. @throws Unshown when it is too long or declares a document type */
export async function readXmlText(zip: Zip, name: string): Promise<string> {
  const text = decodeText(await zip.read(name, limits.viewXmlBytes));
  if (text.includes("<!DOCTYPE") || text.includes("<!ENTITY")) throw new Unshown("broken");
  return text;
}

/** The root of a part; null when there is no such part. @throws Unshown */
export async function readXml(zip: Zip, name: string): Promise<Element | null> {
  if (!zip.has(name)) return null;
  const parsed = new DOMParser().parseFromString(await readXmlText(zip, name), "application/xml");
  if (parsed.getElementsByTagName("parsererror").length > 0) throw new Unshown("broken");
  return parsed.documentElement;
}

/** The children of this name, whatever their prefix. */
export function children(parent: Element | null | undefined, name: string): Element[] {
  return [...(parent?.children ?? [])].filter((child) => child.localName === name);
}

export function child(parent: Element | null | undefined, name: string): Element | null {
  return children(parent, name)[0] ?? null;
}

/** All elements of this name below. */
export function all(parent: Element | null | undefined, name: string): Element[] {
  return parent == null ? [] : [...parent.getElementsByTagNameNS("*", name)];
}

/** An attribute by its local name: `r:id` is `id`, in the namespace of relationships. */
export function relationId(element: Element, name = "id"): string | null {
  for (const attribute of element.attributes) {
    if (attribute.localName === name && attribute.namespaceURI?.endsWith("/relationships")) {
      return attribute.value;
    }
  }
  return null;
}

export interface Relation {
  readonly type: string;
  /** The name of the part it leads to. */
  readonly target: string;
}

/** Where a part's relations lead within the file (ECMA-376-2 §6.5); those that lead out are left out. */
export async function relationsOf(zip: Zip, part: string): Promise<Map<string, Relation>> {
  const slash = part.lastIndexOf("/");
  const folder = part.slice(0, slash + 1);
  const root = await readXml(zip, `${folder}_rels/${part.slice(slash + 1)}.rels`);
  const found = new Map<string, Relation>();
  for (const relation of children(root, "Relationship")) {
    if (relation.getAttribute("TargetMode") === "External") continue;
    const [id, target] = [relation.getAttribute("Id"), relation.getAttribute("Target")];
    if (id === null || target === null) continue;
    const url = new URL(target.replaceAll("\\", "/"), `http://part/${folder}`);
    const type = relation.getAttribute("Type") ?? "";
    found.set(id, { type: type.slice(type.lastIndexOf("/") + 1), target: url.pathname.slice(1) });
  }
  return found;
}
