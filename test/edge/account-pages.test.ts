/** The account center inside workerd: how each part stands, what is offered, and what happened. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { listActivity } from "../../workers/account/activity.ts";
import { handle } from "../../workers/app.ts";
import { startEnrolment } from "../../workers/devices/devices.ts";
import { acceptContact, askContact, blockPerson } from "../../workers/people/contacts.ts";
import { setField } from "../../workers/people/profile.ts";
import { CLIENT, type NewSession, newPerson } from "../support/person.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";
import { bindings, newKey, newLabel } from "./devices-support.ts";

const ORIGIN = "http://localhost:8787";
const provider = {
  IDENTITY_PROVIDERS: "work title=Work issuer=https://login.example.org client=latchkey",
  IDENTITY_SECRET_WORK: "secret",
};
let test: TestPorts;
let serial = 0;

beforeEach(() => {
  test = testPorts({ env });
});

const somebody = () => newPerson(test, `center${serial++}@example.org`);

async function browse(
  path: string,
  who: NewSession | null,
  form?: Readonly<Record<string, string>>,
): Promise<Response> {
  const headers = new Headers({ accept: "text/html", "sec-fetch-site": "same-origin" });
  if (who !== null) headers.set("cookie", `__Host-sid=${who.token}`);
  const body = form === undefined ? null : new URLSearchParams(form);
  const method = form === undefined ? "GET" : "POST";
  return await handle(new Request(ORIGIN + path, { method, headers, body }), test.ports);
}

/** The words of a page, without its markup. */
async function wordsOf(path: string, who: NewSession | null): Promise<string> {
  const markup = await (await browse(path, who)).text();
  return markup.replace(/<[^>]+>/g, " ").replace(/\s+/g, " ");
}

describe("the overview", () => {
  it("says how each part stands, with one query", async () => {
    const me = await somebody();
    await browse("/account", me);
    const count = countQueries(bindings.DB_HOME);
    expect(await wordsOf("/account", me)).toMatch(/Passkeys .{0,80}None.*Second step .{0,80}Off/);
    expect(count()).toBe(1);
  });

  it("offers accounts elsewhere where there are any, and where one is linked still", async () => {
    const me = await somebody();
    for (const path of ["/account", "/account/passkeys", "/sign-in", "/sign-up"]) {
      const words = await wordsOf(path, path.startsWith("/sign") ? null : me);
      expect(words, path).not.toMatch(/linked accounts|account elsewhere/i);
    }
    expect(await wordsOf("/account/linked", me)).toContain("Nothing can be linked here");
    test = testPorts({ env, variables: provider, clock: test.clock });
    for (const path of ["/account", "/account/passkeys"]) {
      expect(await wordsOf(path, me), path).toContain("Linked accounts");
    }
    expect(await wordsOf("/sign-in", null)).toContain("Continue with Work");
    test = testPorts({ env, clock: test.clock });
    await bindings.DB_HOME.prepare("INSERT INTO linked_identity VALUES (?, ?, 's1.x', 1, NULL)")
      .bind(`lnk_${serial}`, me.accountId)
      .run();
    expect(await wordsOf("/account", me)).toMatch(/Linked accounts .{0,80}1 linked/);
  });
});

describe("the rail", () => {
  it("leads to what is held of oneself, which leads to the policy for everybody", async () => {
    const me = await somebody();
    const devices = await (await browse("/devices", me)).text();
    expect(devices).toMatch(/<a[^>]*href="\/account\/data"[^>]*>.{0,600}?Privacy/s);
    const own = await (await browse("/account/data", me)).text();
    expect(own).toMatch(
      /<a[^>]*aria-current="page"[^>]*href="\/account\/data"|href="\/account\/data"[^>]*aria-current="page"/,
    );
    expect(own).toContain('href="/privacy"');
  });
});

describe("the activity page", () => {
  it("names people who show their name, and says the ID of the others", async () => {
    const [me, shown, hidden, angry] = [
      await somebody(),
      await somebody(),
      await somebody(),
      await somebody(),
    ];
    const say = (who: NewSession, name: string, visibility: "nobody" | "everyone") =>
      setField(test.ports, who.accountId, "name", name, { visibility, client: CLIENT });
    await say(shown, "Grace Shown", "everyone");
    await say(hidden, "Ada Hidden", "nobody");
    await say(angry, "Mallory Angry", "everyone");
    for (const other of [shown, hidden, angry]) {
      await askContact(test.ports, other.accountId, me.accountId, CLIENT);
      await acceptContact(test.ports, me.accountId, other.accountId, CLIENT);
    }
    await blockPerson(test.ports, angry.accountId, me.accountId, CLIENT);
    const words = await wordsOf("/account/activity", me);
    expect(words).toContain("Grace Shown");
    expect(words).not.toContain(shown.accountId);
    for (const name of ["Ada Hidden", "Mallory Angry"]) expect(words).not.toContain(name);
    for (const { accountId } of [hidden, angry]) expect(words).toContain(accountId);
  });

  it("[NOT-1] says which device was added and removed, and a notice tells of the first", async () => {
    const me = await somebody();
    const label = newLabel();
    const { publicKey } = await newKey();
    const { user_code: code } = await startEnrolment(test.ports, { publicKey });
    const added = await browse("/devices/add", me, { code, label });
    const device = /\/devices\/([^?]+)/.exec(added.headers.get("location") ?? "")?.[1];
    await test.settle();
    expect(test.mail.sent.at(-1)?.subject).toBe("A device was added to your Latchkey account");
    expect(test.mail.sent.at(-1)?.text).toContain(label);
    await browse(`/devices/${device}/unregister`, me, {});
    const events = (await listActivity(test.ports, me.accountId)).map((one) => [
      one.event,
      one.about,
    ]);
    expect(events).toContainEqual(["device-added", label]);
    expect(events).toContainEqual(["device-removed", label]);
    expect(await wordsOf("/account/activity", me)).toMatch(`A device was removed. ${label}`);
  });
});
