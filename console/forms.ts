/** Reading a form, and turning a refusal into words beside its fields. */

import { limits } from "../protocol/limits.ts";
import { readBounded } from "../workers/body.ts";
import type { Ctx } from "../workers/http.ts";
import { Problem, type ProblemCode, problems } from "../workers/problem.ts";
import type { FormErrors } from "./components/form.tsx";

/** The fields of an `application/x-www-form-urlencoded` body; an absent field is the empty string. */
export type FormFields = (name: string) => string;

/** @throws Problem `body-too-large`, `bad-request` */
export async function readForm(c: Ctx): Promise<FormFields> {
  const type = c.req.header("content-type") ?? "";
  if (!type.startsWith("application/x-www-form-urlencoded")) throw new Problem("bad-request");
  const body = await readBounded(c.req.raw, limits.requestBodyBytes);
  if (body === null) throw new Problem("body-too-large");
  const fields = new URLSearchParams(new TextDecoder().decode(body));
  return (name) => fields.get(name) ?? "";
}

/** A form with a file: its fields, and the bytes of the file; null when none was chosen. */
export interface Upload {
  readonly form: FormFields;
  readonly file: Uint8Array<ArrayBuffer> | null;
}

/** @throws Problem `photo-too-large`, `bad-request` */
export async function readUpload(c: Ctx, name: string): Promise<Upload> {
  const type = c.req.header("content-type") ?? "";
  if (!type.startsWith("multipart/form-data")) throw new Problem("bad-request");
  const body = await readBounded(c.req.raw, limits.photoFormBytes);
  if (body === null) throw new Problem("photo-too-large");
  const read = new Response(new Uint8Array(body), { headers: { "content-type": type } });
  const fields = await read.formData().catch(() => null);
  if (fields === null) throw new Problem("bad-request");
  const given = fields.get(name);
  const file =
    given instanceof File && given.size > 0 ? new Uint8Array(await given.arrayBuffer()) : null;
  const form = (field: string) => {
    const value = fields.get(field);
    return typeof value === "string" ? value : "";
  };
  return { form, file };
}

export interface Refusal {
  readonly status: number;
  readonly errors: FormErrors;
}

/** Refusals that a form says itself; any other is a page of its own. */
const sayable = new Set([400, 401, 409, 410, 413, 422, 429, 503]);

/** After these nothing that could be typed into the form would help. */
const final: ReadonlySet<ProblemCode> = new Set([
  "not-signed-in",
  "link-expired",
  "sign-in-expired",
  "contact-taken",
]);

/**
 * Does the work of a form.
 * @param names what this form calls the fields that a refusal names; `""` for one that names none
 * @returns what the form must say when it was refused, else null
 */
export async function refusalOf(
  work: () => Promise<unknown>,
  names: Readonly<Record<string, string>> = {},
): Promise<Refusal | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (!(error instanceof Problem) || final.has(error.code)) throw error;
    const { status, title } = problems[error.code];
    if (!sayable.has(status)) throw error;
    const field = error.field ?? "";
    return { status, errors: { [names[field] ?? field]: `${title}.` } };
  }
}

/**
 * Does the work of a form whose subject may be gone by now, most often by a first click of the same person.
 * @returns false when there is no such thing (any more)
 */
export async function didFirst(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof Problem && error.code === "not-found") return false;
    throw error;
  }
}
