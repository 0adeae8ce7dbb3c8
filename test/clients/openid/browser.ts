/**
 * The least of a browser that a person needs to sign in and consent: cookies, redirects, links and
 * forms, for one origin. It stops where it is sent to any other, as at a client's redirect address.
 */

import { Agent, request } from "undici";

const agent = new Agent({ keepAliveTimeout: 1 });
const MOST_REDIRECTS = 12;

export interface Form {
  readonly action: URL;
  readonly method: "GET" | "POST";
  /** Hidden and typed fields with what stands in them. */
  readonly fields: Readonly<Record<string, string>>;
  /** Buttons that carry a name, as `name=value`. */
  readonly buttons: readonly string[];
}

export interface Page {
  readonly kind: "page";
  readonly url: URL;
  readonly status: number;
  readonly html: string;
  readonly forms: readonly Form[];
  readonly links: readonly URL[];
}

/** The issuer sent the browser to somebody else. */
export interface Left {
  readonly kind: "left";
  readonly url: URL;
  readonly status: number;
}

export class Browser {
  readonly origin: string;
  readonly cookies = new Map<string, string>();
  readonly #headers: Readonly<Record<string, string>>;

  /** @param headers sent with every request, e.g. to say which address the browser has */
  constructor(origin: string, headers: Readonly<Record<string, string>> = {}) {
    this.origin = origin;
    this.#headers = headers;
  }

  /** Opens an address, or posts a form to it, and follows redirects within the origin. */
  async open(url: URL | string, body: URLSearchParams | null = null): Promise<Page | Left> {
    let next = new URL(url, this.origin);
    let form = body;
    for (let hop = 0; hop < MOST_REDIRECTS; hop++) {
      const answer = await this.#request(next, form);
      if (answer.location === null) return pageOf(next, answer.status, answer.text);
      const target = new URL(answer.location, next);
      if (target.origin !== this.origin)
        return { kind: "left", url: target, status: answer.status };
      if (answer.status !== 307 && answer.status !== 308) form = null;
      next = target;
    }
    throw new Error(`${url} redirects without end`);
  }

  submit(form: Form, values: Readonly<Record<string, string>> = {}): Promise<Page | Left> {
    const fields = new URLSearchParams({ ...form.fields, ...values });
    if (form.method === "POST") return this.open(form.action, fields);
    const url = new URL(form.action);
    url.search = fields.toString();
    return this.open(url);
  }

  async #request(url: URL, form: URLSearchParams | null) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await request(`http://127.0.0.1:${url.port}${url.pathname}${url.search}`, {
      method: form === null ? "GET" : "POST",
      headers: {
        ...this.#headers,
        host: url.host,
        accept: "text/html",
        ...(cookie === "" ? {} : { cookie }),
        ...(form === null
          ? {}
          : {
              origin: this.origin,
              "sec-fetch-site": "same-origin",
              "content-type": "application/x-www-form-urlencoded",
            }),
      },
      body: form === null ? null : form.toString(),
      dispatcher: agent,
    });
    for (const line of [answer.headers["set-cookie"] ?? []].flat()) this.#keep(line);
    const { location } = answer.headers;
    return {
      status: answer.statusCode,
      text: await answer.body.text(),
      location: typeof location === "string" ? location : null,
    };
  }

  #keep(line: string): void {
    const [pair = "", ...attributes] = line.split(";");
    const at = pair.indexOf("=");
    const [name, value] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    const gone = attributes.some((attribute) =>
      /^\s*(max-age=0|expires=.* 1970 .*)$/i.test(attribute),
    );
    if (gone || value === "") this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

function pageOf(url: URL, status: number, html: string): Page {
  const forms = [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(
    ([, head = "", inside = ""]): Form => {
      const { action = "", method = "get" } = attributesOf(head);
      const fields = [...inside.matchAll(/<input\b([^>]*)>/gi)].map(([, one = ""]) =>
        attributesOf(one),
      );
      const kept = fields.filter(
        ({ type, checked }) => type !== "checkbox" || checked !== undefined,
      );
      return {
        action: new URL(action, url),
        method: method.toUpperCase() === "POST" ? "POST" : "GET",
        fields: Object.fromEntries(kept.map(({ name = "", value = "" }) => [name, value])),
        buttons: [...inside.matchAll(/<button\b([^>]*)>/gi)].flatMap(([, one = ""]) => {
          const { name, value = "" } = attributesOf(one);
          return name === undefined ? [] : [`${name}=${value}`];
        }),
      };
    },
  );
  const links = [...html.matchAll(/<a\b([^>]*)>/gi)].flatMap(([, one = ""]) => {
    const { href } = attributesOf(one);
    return href === undefined ? [] : [new URL(href, url)];
  });
  return { kind: "page", url, status, html, forms, links };
}

function attributesOf(text: string): Partial<Record<string, string>> {
  const found = text.matchAll(/([a-z][\w:-]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'))?/gi);
  return Object.fromEntries(
    [...found].map(([, name = "", double, single]) => [name, plain(double ?? single ?? "")]),
  );
}

const entities: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

function plain(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (all, decimal, hex, name) => {
    if (name !== undefined) return entities[name.toLowerCase()] ?? all;
    return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
  });
}
