/** Profiles, photos and the activity log, over HTTP: who sees which of it, and what is left of it. */

import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { profileFields, visibilities } from "../../db/queries/profiles.ts";
import { limits } from "../../protocol/limits.ts";
import { activityPage, note } from "../../workers/account/activity.ts";
import { handle } from "../../workers/app.ts";
import { acceptContact, askContact, blockPerson } from "../../workers/people/contacts.ts";
import { languages, timeZones } from "../../workers/people/locale.ts";
import { visibleProfile } from "../../workers/people/visible.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { completeSignIn } from "../support/person.ts";
import { CANARY, leaks, pictureKinds, withMetadata } from "../support/pictures.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";
import { objectBytes } from "./buckets.ts";
import {
  addRegion,
  bindings,
  client,
  newPerson,
  nobody,
  say,
  twoRegions,
} from "./people-support.ts";

const ORIGIN = "http://localhost:8787";
let test: TestPorts;

beforeAll(addRegion);
beforeEach(() => {
  test = twoRegions();
});

const sessionOf = async (accountId: string) =>
  (await completeSignIn(test.ports, { accountId, methods: ["password"] }, client)).token;

interface Asked {
  readonly token?: string | null;
  readonly json?: unknown;
  readonly bytes?: Uint8Array<ArrayBuffer>;
  readonly form?: FormData | URLSearchParams;
  readonly cookie?: string;
}

async function ask(method: string, path: string, asked: Asked = {}): Promise<Response> {
  const headers = new Headers({ "sec-fetch-site": "same-origin" });
  if (!path.startsWith("/api/")) headers.set("accept", "text/html");
  const cookies = [asked.cookie, asked.token ? `__Host-sid=${asked.token}` : undefined];
  headers.set("cookie", cookies.filter((one) => one !== undefined).join("; "));
  const body = asked.json === undefined ? (asked.bytes ?? asked.form) : JSON.stringify(asked.json);
  if (asked.json !== undefined) headers.set("content-type", "application/json");
  const request = new Request(ORIGIN + path, { method, headers, body: body ?? null });
  return await handle(request, test.ports);
}

describe("a profile", () => {
  it("[ACC-13] is on its page whole, [ACC-1] and each field is cleared by one button", async () => {
    const me = await newPerson();
    const token = await sessionOf(me);
    const said = {
      name: "Mara Canary",
      about: "an attic canary",
      language: "en",
      time_zone: "Europe/Paris",
    };
    for (const [field, value] of Object.entries(said)) {
      const put = await ask("PUT", `/api/account/profile/${field}`, { token, json: { value } });
      expect(put.status).toBe(204);
    }
    expect(
      (await ask("PUT", "/api/account/photo", { token, bytes: withMetadata("png") })).status,
    ).toBe(204);
    const { fields } = (await (await ask("GET", "/api/account/profile", { token })).json()) as {
      fields: { field: string; value: string | null; visibility: string }[];
    };
    expect(fields.map(({ field }) => field)).toEqual([...profileFields]);
    const kept = await bindings.DB_HOME.prepare(
      "SELECT field FROM profile_field WHERE account_id = ?",
    )
      .bind(me)
      .all<{ field: string }>();
    expect(kept.results.map(({ field }) => field).sort()).toEqual([...profileFields].sort());
    const page = await (await ask("GET", "/account/profile", { token })).text();
    for (const { field, value } of fields) {
      const shown = field === "photo" ? `/api/people/${me}/photo` : String(value);
      expect([field, page.includes(shown)]).toEqual([field, true]);
    }
    expect(page.match(/value="clear"/g)).toHaveLength(profileFields.length);
    for (const field of profileFields) {
      const form = field === "photo" ? new FormData() : new URLSearchParams();
      form.set("field", field);
      form.set("do", "clear");
      const path = `/account/profile${field === "photo" ? "/photo" : ""}`;
      expect((await ask("POST", path, { token, form })).status).toBe(303);
    }
    expect(
      await bindings.DB_HOME.prepare("SELECT count(*) AS n FROM profile_field WHERE account_id = ?")
        .bind(me)
        .first("n"),
    ).toBe(0);
    expect(await objectBytes(`photo/${me}`)).toBeNull();
  });

  it("[ACC-8] begins with name and photo for contacts and all else for nobody; all is cleared by one", async () => {
    const me = await newPerson();
    const token = await sessionOf(me);
    const seen = async () => {
      const { fields } = (await (await ask("GET", "/api/account/profile", { token })).json()) as {
        fields: { field: string; value: string | null; visibility: string }[];
      };
      return fields;
    };
    for (const { field, visibility } of await seen()) {
      const contacts = field === "name" || field === "photo";
      expect([field, visibility]).toEqual([field, contacts ? "contacts" : "nobody"]);
    }
    await ask("PUT", "/api/account/profile/about", { token, json: { value: "x" } });
    expect((await seen()).find(({ field }) => field === "about")?.visibility).toBe("nobody");
    expect((await ask("DELETE", "/api/account/profile", { token })).status).toBe(204);
    expect((await seen()).every(({ value }) => value === null)).toBe(true);
  });

  it("refuses what does not fit, and never breaks", async () => {
    const token = await sessionOf(await newPerson());
    const bad: [string, unknown, number][] = [
      ["name", { value: "" }, 422],
      ["name", { value: "x".repeat(limits.profileNameLength + 1) }, 422],
      ["name", { value: "a\u202eb" }, 422],
      ["name", { value: "a\u0000b" }, 422],
      ["language", { value: "tlh" }, 422],
      ["time_zone", { value: "Mars/Olympus" }, 422],
      ["time_zone", { value: "__proto__" }, 422],
      ["photo", { value: "x" }, 400],
      ["about", { visibility: "everyone" }, 404],
      ["about", {}, 400],
      ["about", { value: "x", more: 1 }, 400],
      ["nose", { value: "x" }, 400],
    ];
    for (const [field, json, status] of bad) {
      const answer = await ask("PUT", `/api/account/profile/${field}`, { token, json });
      expect([field, json, answer.status]).toEqual([field, json, status]);
    }
  });

  it("[CKY-4] remembers language and zone in a cookie from closed lists, when they are changed", async () => {
    const token = await sessionOf(await newPerson());
    const choices = (Object.keys(languages).length + 1) * (timeZones().size + 1);
    expect(Math.log2(choices)).toBeLessThan(16);
    const put = (field: string, json: unknown, cookie?: string) =>
      ask("PUT", `/api/account/profile/${field}`, { token, json, ...(cookie ? { cookie } : {}) });
    expect((await put("name", { value: "Mara" })).headers.get("set-cookie")).toBeNull();
    const set = (await put("time_zone", { value: "Europe/Paris" })).headers.get("set-cookie") ?? "";
    expect(set).toMatch(
      /^pref=~Europe%2FParis; Max-Age=31536000; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
    const cookie = set.split(";")[0] ?? "";
    const page = await (await ask("GET", "/account/activity", { token, cookie })).text();
    expect(page).toContain('data-zone="Europe/Paris"');
    expect(page).toMatch(/(CET|CEST|GMT\+[12])<\/time>/);
    const forged = await ask("GET", "/account/activity", { token, cookie: "pref=x~<script>" });
    expect(forged.status).toBe(200);
    expect(await forged.text()).not.toContain("data-zone");
    const cleared = await ask("DELETE", "/api/account/profile/time_zone", { token, cookie });
    expect(cleared.headers.get("set-cookie")).toMatch(/^pref=; Max-Age=0/);
  });
});

describe("who sees what", () => {
  it("[ACC-7] is said by field, viewer and setting, and by nothing else", async () => {
    const [owner, contact, asked, asking, blocked, stranger] = (await Promise.all(
      (["home", "eu", "eu", "home", "eu", "home"] as const).map((region) => newPerson(region)),
    )) as [string, string, string, string, string, string];
    await askContact(test.ports, contact, owner, client);
    await acceptContact(test.ports, owner, contact, client);
    await askContact(test.ports, owner, asked, client);
    await askContact(test.ports, asking, owner, client);
    await blockPerson(test.ports, owner, blocked, client);
    const viewers = { self: owner, contact, asked, asking, blocked, stranger, anonymous: null };
    for (const setting of visibilities) {
      for (const field of profileFields)
        await say(test.ports, owner, field, `${field} text`, setting);
      for (const [viewer, id] of Object.entries(viewers)) {
        const sees =
          viewer === "self" ||
          (viewer !== "blocked" && setting === "everyone") ||
          (viewer === "contact" && setting === "contacts");
        const seen = await visibleProfile(test.ports, id, owner);
        const fields = [...Object.keys(seen?.fields ?? {}), ...(seen?.photo ? ["photo"] : [])];
        expect([setting, viewer, fields.sort()]).toEqual([
          setting,
          viewer,
          sees ? [...profileFields].sort() : [],
        ]);
      }
    }
  });

  it("one field is not another: each has its own setting", async () => {
    const owner = await newPerson();
    for (const field of profileFields) {
      for (const other of profileFields) {
        await say(test.ports, owner, other, other, other === field ? "everyone" : "contacts");
      }
      const seen = await visibleProfile(test.ports, null, owner);
      expect([...Object.keys(seen?.fields ?? {}), ...(seen?.photo ? ["photo"] : [])]).toEqual([
        field,
      ]);
    }
  });

  it("nobody and who shows nothing are the same, in answer and work", async () => {
    const shy = await newPerson();
    await say(test.ports, shy, "name", "shy", "contacts");
    const token = await sessionOf(await newPerson());
    await ask("GET", `/api/people/${shy}`, { token }); // from now on the session is remembered
    const count = countQueries(bindings.DB_HOME);
    const costs = new Set<number>();
    const answers = new Set<string>();
    for (const id of [shy, nobody(), nobody("eu"), nobody("mars"), "x", "acc_home_1"]) {
      for (const path of ["/api/people/", "/people/"]) {
        const before = count();
        const answer = await ask("GET", path + id, { token });
        if (path === "/api/people/") costs.add(count() - before);
        const text = (await answer.text()).replaceAll(/nonce(=|-)"?[\w-]{22}"?/g, "");
        answers.add(`${path} ${answer.status} ${text}`);
      }
    }
    expect(answers.size).toBe(2);
    expect(costs.size).toBe(1);
  });
});

describe("a photo", () => {
  it.each(pictureKinds)("of the kind %s comes out without its place, and safely", async (kind) => {
    const me = await newPerson();
    const token = await sessionOf(me);
    const form = new FormData();
    form.set("photo", new File([withMetadata(kind)], `${CANARY}.jpg`, { type: "text/html" }));
    form.set("visibility", "everyone");
    expect((await ask("POST", "/account/profile/photo", { token, form })).status).toBe(303);
    const answer = await ask("GET", `/api/people/${me}/photo`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    expect(answer.status).toBe(200);
    expect(leaks(bytes)).toBe(false);
    expect(answer.headers.get("content-type")).toMatch(/^image\/(png|jpeg|webp)$/);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("content-security-policy")).toBe("default-src 'none'; sandbox");
    const stored = (await objectBytes(`photo/${me}`)) ?? new Uint8Array();
    expect(stored.length).toBe(bytes.length + 28);
    expect(leaks(stored)).toBe(false);
    const show = { token, json: { visibility: "nobody" } };
    expect((await ask("PUT", "/api/account/profile/photo", show)).status).toBe(204);
    expect((await ask("GET", `/api/people/${me}/photo`)).status).toBe(404);
    expect((await ask("GET", `/api/people/${me}/photo`, { token })).status).toBe(200);
  });

  it("is refused when it is none, too large or too wide; nothing is kept of it", async () => {
    const me = await newPerson();
    const token = await sessionOf(me);
    const wide = withMetadata("webpLossless");
    const put = (bytes: Uint8Array<ArrayBuffer>) =>
      ask("PUT", "/api/account/photo", { token, bytes });
    expect((await put(new Uint8Array([1, 2, 3]))).status).toBe(422);
    expect((await put(new Uint8Array(limits.photoBytes + 1))).status).toBe(413);
    expect((await put(new Uint8Array(limits.photoFormBytes + 1))).status).toBe(413);
    expect((await put(wide.slice(0, -1))).status).toBe(422);
    const form = new FormData();
    form.set("photo", new File([new Uint8Array([1])], "x"));
    const refused = await ask("POST", "/account/profile/photo", { token, form });
    expect(refused.status).toBe(422);
    expect(await refused.text()).toContain("not a whole PNG, JPEG or WebP picture");
    expect(await objectBytes(`photo/${me}`)).toBeNull();
  });

  it("[RGT-4] goes with its owner, and one that comes too late is not kept", async () => {
    const me = await newPerson();
    const token = await sessionOf(me);
    await ask("PUT", "/api/account/photo", { token, bytes: withMetadata("jpeg") });
    expect(await objectBytes(`photo/${me}`)).not.toBeNull();
    await eraseAccount(test.ports, me);
    expect(await objectBytes(`photo/${me}`)).toBeNull();
    const late = await newPerson();
    const lateToken = await sessionOf(late);
    const { blobs } = test.ports;
    const slow = {
      ...blobs,
      put: async (...given: Parameters<typeof blobs.put>) => {
        await eraseAccount(test.ports, late);
        await blobs.put(...given);
      },
    };
    test = testPorts({ env, clock: test.clock, replace: { blobs: slow } });
    await ask("PUT", "/api/account/photo", { token: lateToken, bytes: withMetadata("jpeg") });
    expect(await objectBytes(`photo/${late}`)).toBeNull();
  });
});

describe("the activity log", () => {
  it("[ACC-3] shows its owner every event once, page by page, and nobody another's", async () => {
    const [me, other] = [await newPerson(), await newPerson()];
    const [token, otherToken] = [await sessionOf(me), await sessionOf(other)];
    const count = limits.activityPage * 2 + 7;
    // Many at the same moment: a page may end between them.
    for (let n = 1; n < count; n++)
      await note(test.ports, me, "profile-changed", { client, about: `n${n}` });
    const ids: string[] = [];
    let next: string | null = "";
    while (next !== null) {
      const query: string = next === "" ? "" : `?before=${next}`;
      const answer = await ask("GET", `/api/account/activity${query}`, { token });
      const page = (await answer.json()) as {
        events: { id: string; network: string }[];
        next: string | null;
      };
      ids.push(...page.events.map(({ id }) => id));
      expect(page.events.every(({ network }) => network === "198.51.100.0/24")).toBe(true);
      next = page.next;
    }
    expect(ids).toHaveLength(count);
    expect(new Set(ids).size).toBe(count);
    expect((await activityPage(test.ports, other)).entries).toHaveLength(1);
    const page = await (await ask("GET", "/account/activity", { token: otherToken })).text();
    expect(page).toContain("You signed in.");
    expect(page).not.toContain("The profile was changed.");
    expect((await ask("GET", "/api/account/activity?before=x", { token })).status).toBe(400);
    test.clock.advance(limits.activityMs);
    expect((await activityPage(test.ports, me)).entries).toEqual([]);
  });
});
