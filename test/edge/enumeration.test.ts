/**
 * Whether an address, a number or an ID has an account is told to nobody: every question that names
 * somebody else, asked of one that has an account, one whose account has no password, one whose account
 * was erased and one that never had any. Status, headers, body, queries, counted tries and key reads are
 * the same; what is sent goes to the reader of the address only.
 */

import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import openapi from "../../docs/openapi.json";
import { R2KeyStore } from "../../durable-objects/platform.ts";
import { newId } from "../../protocol/ids.ts";
import { handle } from "../../workers/app.ts";
import { setFeature, setRule } from "../../workers/devices/devices.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { signUp } from "../../workers/sign-in/sign-up.ts";
import { registered } from "../support/openid.ts";
import { CLIENT, newPerson, PASSWORD, verifySignUp } from "../support/person.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";
import { switchOn } from "../support/second-step.ts";
import { enroll } from "./devices-support.ts";
import { fakeProviders, Visitor, variables } from "./linked-support.ts";
import { smsCode } from "./steps-support.ts";

declare global {
  interface ImportMeta {
    /** Vite's: the files of a pattern, read when the test is built. */
    glob<T>(pattern: string, options: object): Record<string, T>;
  }
}

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
let test: TestPorts;
let providers: ReturnType<typeof fakeProviders>;
let asker: { token: string; device: string; label: string; rule: string };
let count = 0;

/** Who is asked about; each name as long as the others, for it comes back in pages. */
const kinds = ["password", "no-passwd", "two-steps", "is-erased", "is-nobody"] as const;
type Kind = (typeof kinds)[number];
type About = "address" | "phone" | "account";
/** Everybody, by what they are asked about by. */
let names: Record<About, Record<Kind | "warm-up-x", string>>;

beforeEach(async () => {
  const OPENID_CLIENTS = await registered();
  const SMS_URL = "https://a:b@sms.example/";
  test = testPorts({ env, variables: { ...variables, OPENID_CLIENTS, SMS_URL, SMS_FROM: "L" } });
  providers = fakeProviders(test);
  count++;
  const of = (make: (kind: string, at: number) => string) =>
    Object.fromEntries([...kinds, "warm-up-x"].map((kind, at) => [kind, make(kind, at)]));
  names = {
    address: of((kind) => `${kind}${count}@enumeration.example`),
    phone: of((_, at) => `+49151123${String(count).padStart(3, "0")}${at}`),
    account: of(() => newId("acc", "home", test.ports.random.bytes)),
  } as typeof names;
  for (const kind of kinds.slice(0, 4)) {
    const { accountId } = await newPerson(test, names.address[kind]);
    names.account[kind] = accountId;
    const byPhone = await newPhonePerson(names.phone[kind]);
    for (const id of [accountId, byPhone]) {
      if (kind === "no-passwd") {
        await DB_HOME.prepare("DELETE FROM password WHERE account_id = ?").bind(id).run();
      }
      if (kind === "two-steps") await switchOn(test.ports, id);
      if (kind === "is-erased") await eraseAccount(test.ports, id);
    }
  }
  const { token, accountId } = await newPerson(test, `asker${count}@enumeration.example`);
  const { id: device, label } = (await enroll(test.ports, accountId)).device;
  await setFeature(test.ports, accountId, device, "link", true);
  const listed = { service: "web", path: "/files", mode: "listed" } as const;
  const [rule] = (await setRule(test.ports, accountId, device, listed)).access.rules;
  asker = { token, device, label, rule: rule?.id ?? "" };
  await test.settle();
});
afterEach(() => vi.restoreAllMocks());

async function newPhonePerson(phone: string): Promise<string> {
  const sent = await signUp(test.ports, { address: phone, password: PASSWORD }, CLIENT);
  const token = sent.kind === "sms" ? sent.token : "";
  return (await verifySignUp(test.ports, { token, code: smsCode(test) }, CLIENT)).accountId;
}

/** A question that names somebody: in its path, as a form or as JSON. */
interface Question {
  readonly route: string;
  readonly about: readonly About[];
  readonly form?: (name: string) => Record<string, string>;
  readonly json?: (name: string) => unknown;
  /** The query of a GET. */
  readonly query?: (name: string) => Record<string, string>;
  /** Asked by somebody who is signed in. */
  readonly signedIn?: true;
  /** Asked by somebody who came back from an account elsewhere. */
  readonly arrived?: true;
  /** Takes back what the question did, with no eye on it. */
  readonly after?: string;
}
const wrong = "a password that nobody has";
const contact = ["address", "phone"] as const;
const account = ["account"] as const;
/** A report with an address for the answer; one reference for all, so that answers can be compared. */
const reported = (address: string) => ({
  ...{ door: asker.label, about: "other", words: "It harms." },
  ...{ address, once: "A1b2C3d4E5f6G7h8" },
});
const questions: readonly Question[] = [
  { route: "POST /api/sign-up", about: contact, json: (address) => ({ address, password: wrong }) },
  { route: "POST /sign-up", about: contact, form: (address) => ({ address, password: wrong }) },
  {
    route: "POST /api/sessions",
    about: contact,
    json: (address) => ({ address, password: wrong }),
  },
  {
    route: "POST /sign-in",
    about: contact,
    form: (address) => ({ address, password: wrong, return: "/account" }),
  },
  { route: "POST /api/password/forgot", about: contact, json: (address) => ({ address }) },
  { route: "POST /forgot", about: contact, form: (address) => ({ address }) },
  {
    route: "POST /sign-up/with/:provider",
    about: ["address"],
    form: (address) => ({ address }),
    arrived: true,
  },
  {
    route: "GET /oauth/authorize",
    about: contact,
    query: (login_hint) => ({
      ...{ client_id: "photos", redirect_uri: "https://photos.example/callback", login_hint },
      ...{ response_type: "code", scope: "openid" },
    }),
  },
  {
    route: "POST /api/account/addresses",
    about: contact,
    json: (address) => ({ address }),
    signedIn: true,
  },
  {
    route: "POST /account/addresses/add",
    about: contact,
    form: (address) => ({ address }),
    signedIn: true,
  },
  { route: "POST /api/reports", about: ["address"], json: reported },
  { route: "POST /report", about: ["address"], form: reported },
  { route: "GET /api/people/:account", about: account },
  { route: "GET /api/people/:account/photo", about: account },
  { route: "GET /people/:account", about: account },
  {
    route: "POST /api/contacts",
    about: account,
    json: (id) => ({ account: id }),
    signedIn: true,
    after: "DELETE /api/contacts/:account",
  },
  { route: "DELETE /api/contacts/:account", about: account, signedIn: true },
  { route: "POST /api/contacts/:account/accept", about: account, signedIn: true },
  { route: "POST /api/contacts/:account/decline", about: account, signedIn: true },
  { route: "PUT /api/contacts/:account/block", about: account, signedIn: true },
  { route: "DELETE /api/contacts/:account/block", about: account, signedIn: true },
  { route: "POST /people/ask", about: account, form: (id) => ({ account: id }), signedIn: true },
  ...["accept", "remove", "block", "unblock"].map((act) => ({
    route: "POST /people/act",
    about: account,
    form: (id: string) => ({ account: id, do: act }),
    signedIn: true as const,
  })),
  {
    route: "PUT /api/devices/:id/access/people/:account",
    about: account,
    signedIn: true,
    after: "DELETE /api/devices/:id/access/people/:account",
  },
  { route: "DELETE /api/devices/:id/access/people/:account", about: account, signedIn: true },
  {
    route: "PUT /api/devices/:id/access/rules/:rule/people/:account",
    about: account,
    signedIn: true,
    after: "DELETE /api/devices/:id/access/rules/:rule/people/:account",
  },
  {
    route: "DELETE /api/devices/:id/access/rules/:rule/people/:account",
    about: account,
    signedIn: true,
  },
  {
    route: "POST /devices/:id/door/rules/people",
    about: account,
    form: (id) => ({ person: id, of: asker.rule }),
    signedIn: true,
    after: "DELETE /api/devices/:id/access/rules/:rule/people/:account",
  },
  {
    route: "POST /devices/:id/door/rules/people/remove",
    about: account,
    form: (id) => ({ person: id, of: asker.rule }),
    signedIn: true,
  },
  {
    route: "POST /devices/:id/people",
    about: account,
    form: (id) => ({ person: id }),
    signedIn: true,
    after: "DELETE /api/devices/:id/access/people/:account",
  },
  {
    route: "POST /devices/:id/people/remove",
    about: account,
    form: (id) => ({ person: id }),
    signedIn: true,
  },
];

/** Routes whose field is one of the asker's own numbers, by its identifier. */
const ownNumber = ["POST /api/account/second-steps/sms/set-up", "POST /account/second-step/sms"];

/** What differs between any two answers: secrets, nonces, and the name that was asked about. */
function same(text: string, asked: string): string {
  const once = encodeURIComponent(asked);
  return text
    .replaceAll(encodeURIComponent(once), "ASKED")
    .replaceAll(once, "ASKED")
    .replaceAll(asked, "ASKED")
    .replaceAll(/nonce(=|-)"?[\w-]{22}"?/g, "NONCE")
    .replaceAll(/lk_[a-z]{3}_[a-z]+_\w+/g, "SECRET");
}

/** The request that asks `question` about `asked`. */
async function requestOf(question: Question, asked: string): Promise<Request> {
  const { origin } = test.ports.config;
  const [method = "", template = ""] = question.route.split(" ");
  const path = template
    .replace(":account", asked)
    .replace(":id", asker.device)
    .replace(":rule", asker.rule)
    .replace(":provider", "work");
  const { form, json, query, signedIn, arrived } = question;
  const headers = new Headers({ origin, "sec-fetch-site": "same-origin" });
  if (signedIn) headers.set("cookie", `__Host-sid=${asker.token}`);
  if (arrived) headers.set("cookie", `__Host-fed=${await arrival()}`);
  if (json) headers.set("content-type", "application/json");
  if (form) headers.set("content-type", "application/x-www-form-urlencoded");
  const text = json
    ? JSON.stringify(json(asked))
    : new URLSearchParams(form?.(asked) ?? {}).toString();
  const body = json || form ? text : null;
  const search = query ? `?${new URLSearchParams(query(asked))}` : "";
  return new Request(origin + path + search, { method, headers, body });
}

/** What the browser of somebody holds whom a provider knows, with an address it has not checked. */
async function arrival(): Promise<string> {
  const browser = new Visitor(test.ports);
  const who = { sub: `sub-${Math.random()}`, claims: { email: "x@y.example" } };
  await browser.comeBack(providers.work.authorize(await browser.setOut("work"), who));
  return browser.cookies.get("__Host-fed") ?? "";
}

async function observed(question: Question, asked: string) {
  const request = await requestOf(question, asked);
  const reads = vi.spyOn(R2KeyStore.prototype, "get");
  const creates = vi.spyOn(R2KeyStore.prototype, "getOrCreate");
  const takes = vi.spyOn(test.ports.limits, "take");
  const batches = vi.spyOn(Object.getPrototypeOf(DB_HOME) as D1Database, "batch");
  const queries = countQueries(DB_HOME);
  const workSoFar = () => ({ queries: queries(), batches: batches.mock.calls.length });
  // What goes on behind the answer makes nobody wait.
  let before: ReturnType<typeof workSoFar> | null = null;
  const background: TestPorts["ports"]["background"] = (work) => {
    before ??= workSoFar();
    test.ports.background(work);
  };
  const peer = `198.51.100.${count}`;
  const response = await handle(request, { ...test.ports, peer, background });
  before ??= workSoFar();
  const seen = {
    status: response.status,
    headers: [...response.headers].map(([name, value]) => [name, same(value, asked)]),
    body: same(await response.text(), asked),
    before,
    tries: takes.mock.calls.map(([kind]) => kind),
    keys: [reads.mock.calls.length, creates.mock.calls.length],
  };
  await test.settle();
  vi.restoreAllMocks();
  if (question.after !== undefined) {
    const after = { route: question.after, about: question.about, signedIn: true } as const;
    await handle(await requestOf(after, asked), test.ports);
    await test.settle();
  }
  return seen;
}

const cases = questions.flatMap((question) =>
  question.about.map((about) => ({ ...question, question, about })),
);

describe.each(cases)("$route, by $about", ({ question, about }) => {
  it("is answered alike for everybody and nobody, by the same work", async () => {
    await observed(question, names[about]["warm-up-x"]);
    const seen: [Kind, unknown][] = [];
    for (const kind of kinds) seen.push([kind, await observed(question, names[about][kind])]);
    const nobodys = seen.at(-1)?.[1];
    for (const [kind, answer] of seen) expect([kind, answer]).toEqual([kind, nobodys]);
  });
});

/** What of a route's description says which fields it takes. */
interface Described {
  readonly parameters?: readonly { readonly name: string }[];
  readonly requestBody?: {
    readonly content: Record<string, { readonly schema?: { readonly properties?: object } }>;
  };
}

describe("the table of questions", () => {
  const NAMING = /^(address|account|phone|person|email|login_hint)$/;
  const known = new Set([...questions.map(({ route }) => route), ...ownNumber]);
  const isMissing = (route: string) => !known.has(route);

  it("has every route of the API that takes somebody's address, number or ID", () => {
    const naming = Object.entries(openapi.paths).flatMap(([path, methods]) =>
      Object.entries(methods as Record<string, Described>).flatMap(([method, described]) => {
        const { parameters = [], requestBody } = described;
        const schema = requestBody?.content["application/json"]?.schema;
        const fields = [
          ...parameters.map(({ name }) => name),
          ...Object.keys(schema?.properties ?? {}),
        ];
        const route = `${method.toUpperCase()} ${path.replaceAll(/\{(.+?)\}/g, ":$1")}`;
        return fields.some((field) => NAMING.test(field)) ? [route] : [];
      }),
    );
    expect(naming.length).toBeGreaterThan(10);
    expect(naming.filter(isMissing)).toEqual([]);
  });

  it("has every form of the console that does", () => {
    const sources = import.meta.glob<string>("../../console/*.tsx", {
      ...{ query: "?raw", import: "default", eager: true },
    });
    const naming = Object.values(sources).flatMap((source) =>
      source.split(/(?=\.post\()/).flatMap((part) => {
        const home = /const HOME = "([^"]+)"/.exec(source)?.[1] ?? "";
        const path = /^\.post\(\s*["`]([^"`]+)["`]/.exec(part)?.[1]?.replace(/\$\{HOME\}/, home);
        const named = /form\("(address|account|phone|person|email)"\)/.test(part);
        return named && path !== undefined ? [`POST ${path}`] : [];
      }),
    );
    expect(naming.length).toBeGreaterThan(5);
    expect(naming.filter(isMissing)).toEqual([]);
  });
});
