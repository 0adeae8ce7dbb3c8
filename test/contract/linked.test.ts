/**
 * Accounts elsewhere with a real provider, panva's oidc-provider, and with Facebook's documented
 * answers, against a running edge on each runtime. A person's two browsers (one for the console, one
 * for the provider) follow every link and fill in every form.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Browser, type Left, type Page } from "../clients/openid/browser.ts";
import { newMarker, search } from "../support/canary.ts";
import {
  type Elsewhere,
  elsewhereVariables,
  startFacebook,
  startOidcProvider,
} from "../support/elsewhere.ts";
import { deno } from "./deno-process.ts";
import { formOf, linkTo, pathOf, Someone as SomeoneOf } from "./suite/elsewhere.ts";
import { ask } from "./suite/http.ts";
import { newPerson, type Person } from "./suite/person.ts";
import { World } from "./suite/world.ts";
import { workerd } from "./workerd.ts";

describe.each([workerd, deno])("accounts elsewhere on $name", (runtime) => {
  let world: World;
  let oidc: Elsewhere;
  let facebook: Elsewhere;
  const facebookId = `10${Date.now()}`;

  beforeAll(async () => {
    oidc = await startOidcProvider(() => [world.origin]);
    facebook = await startFacebook({ id: facebookId, name: "Fay Book", email: "fay@example.test" });
    world = await World.create(runtime, elsewhereVariables(oidc, facebook));
  });

  afterAll(async () => {
    await world?.close();
    await oidc.close();
    await facebook.close();
  });

  /** Somebody new on this edge. */
  class Someone extends SomeoneOf {
    constructor(name?: string) {
      super(world, oidc, name);
    }
  }

  const signedInAs = (person: Person): Someone => {
    const someone = new Someone();
    someone.console.cookies.set("__Host-sid", person.token);
    return someone;
  };

  it("[ACC-2] [FEA-8] sign up, and no byte of the stores has a token or a claim too many", async () => {
    const someone = new Someone();
    await someone.signUp();
    const accountId = (await someone.account()) ?? "";
    expect((await ask(world, "/api/account", { token: someone.token })).json.address).toBe(
      someone.address,
    );
    expect(oidc.given).not.toEqual([]);
    await expect.poll(() => oidc.alive()).toEqual([]);
    await world.sweep();
    const tokens = Object.fromEntries(oidc.given.map((token, at) => [`token ${at}`, token]));
    const markers = { ...tokens, claim: oidc.secretClaim, subject: someone.name };
    expect(await searchFolder(world, markers, { accountId })).toEqual([]);
    expect(await someone.linked()).toMatchObject([
      {
        provider: { id: "oidc", title: "The Other House" },
        name: `Name of ${someone.name}`,
        email: someone.address,
      },
    ]);
  });

  it("sign in again, in another browser", async () => {
    const someone = new Someone();
    await someone.signUp();
    const again = new Someone(someone.name);
    expect(pathOf(await again.enter())).toBe("/devices");
    expect(await again.account()).toBe(await someone.account());
  });

  it("an address that is not checked gets a mail, and its reader shows the account again", async () => {
    const someone = new Someone(`unchecked.${newMarker()}`);
    const sent = await someone.console.submit(formOf(await someone.enter()));
    expect(pathOf(sent)).toBe("/sign-up/sent");
    const mail = await world.mailbox.next(someone.address);
    const link = new URL(/http\S+/.exec(mail.text)?.[0] ?? "");
    const stranger = new Someone();
    const wrong = await stranger.goAndReturn(
      await stranger.console.submit(formOf(await stranger.console.open(link))),
    );
    expect([wrong.status, await stranger.account()]).toEqual([403, null]);
    const page = await someone.console.open(link);
    const opened = await someone.goAndReturn(await someone.console.submit(formOf(page)));
    expect(pathOf(opened)).toBe("/devices");
    expect(await someone.account()).not.toBeNull();
  });

  it("whoever has no address there types one", async () => {
    const someone = new Someone(`silent.${newMarker()}`);
    const asked = await someone.enter();
    const address = `${newMarker()}@example.test`;
    const sent = await someone.console.submit(formOf(asked), { address });
    expect(pathOf(sent)).toBe("/sign-up/sent");
    expect((await world.mailbox.next(address)).text).toContain("/sign-up/with/oidc/verify?token=");
  });

  it("an address that has an account is told so by mail, and nothing is linked", async () => {
    const person = await newPerson(world);
    const someone = new Someone(person.address.split("@")[0]);
    const sent = await someone.console.submit(formOf(await someone.enter()));
    expect([pathOf(sent), await someone.account()]).toEqual(["/sign-up/sent", null]);
    expect((await world.mailbox.next(person.address)).text).not.toContain("token=");
    expect(await signedInAs(person).linked()).toEqual([]);
  });

  it("link, sign in, unlink, and be a stranger again", async () => {
    const person = await newPerson(world);
    const owner = signedInAs(person);
    const page = await owner.console.open("/account/linked");
    const done = await owner.goAndReturn(
      await owner.console.submit(formOf(page, "/account/linked/add")),
    );
    expect(pathOf(done)).toBe("/account/linked");
    const elsewhere = new Someone(owner.name);
    await elsewhere.enter();
    expect(await elsewhere.account()).toBe(person.accountId);
    const [linked] = await owner.linked();
    const path = `/api/account/linked/${linked.id}`;
    const gone = await ask(world, path, { method: "DELETE", token: person.token });
    expect(gone.status).toBe(204);
    expect([await owner.linked(), await elsewhere.account()]).toEqual([[], null]);
    expect(pathOf(await new Someone(owner.name).enter())).toBe("/sign-up/with/oidc");
  });

  it("the last way in stays", async () => {
    const someone = new Someone();
    await someone.signUp();
    const [linked] = await someone.linked();
    const path = `/api/account/linked/${linked.id}`;
    const refused = await ask(world, path, { method: "DELETE", token: someone.token });
    expect(refused.json.code).toBe("last-way-in");
  });

  it("a person who signs in anew there has shown who they are", async () => {
    const someone = new Someone();
    await someone.signUp();
    const away = await someone.console.open(
      "/confirm/with/oidc",
      new URLSearchParams({ return: "/account/linked" }),
    );
    expect(new URL(linkTo(away, oidc.url)).searchParams.get("max_age")).toBe("0");
    expect(pathOf(await someone.goAndReturn(away))).toBe("/account/linked");
  });

  it("no is an answer: nobody is let in, and nothing is left in the browser", async () => {
    const someone = new Someone();
    const away = await someone.console.open("/sign-in/with/oidc");
    const login = await someone.provider.open(linkTo(away, oidc.url));
    const abort = (login as Page).links.find(({ pathname }) => pathname.endsWith("/abort"));
    const left = await someone.provider.open(abort ?? "");
    const back = await someone.console.open(left.url);
    expect([back.status, [...someone.console.cookies]]).toEqual([403, []]);
  });

  it("a callback in another browser, or twice, lets nobody in", async () => {
    const someone = new Someone();
    await someone.signUp();
    const again = new Someone(someone.name);
    const callback = await again.callback(await again.console.open("/sign-in/with/oidc"));
    const other = new Someone();
    expect((await other.console.open(callback)).status).toBe(410);
    expect(pathOf(await again.comeBack(callback))).toBe("/devices");
    expect((await again.console.open(callback)).status).toBe(410);
  });

  it("Facebook: sign up by mail, for it never says that it checked; then sign in", async () => {
    const someone = new Someone();
    const address = `${newMarker()}@example.test`;
    const through = async (away: Page | Left) => {
      const dialog = new Browser(facebook.url);
      const left = await dialog.open(linkTo(away, facebook.url));
      return await someone.comeBack(left.url);
    };
    const asked = await through(await someone.console.open("/sign-in/with/facebook"));
    expect((asked as Page).html).toContain("Fay Book");
    await someone.console.submit(formOf(asked), { address });
    const link = new URL(/http\S+/.exec((await world.mailbox.next(address)).text)?.[0] ?? "");
    const page = await someone.console.open(link);
    expect(pathOf(await through(await someone.console.submit(formOf(page))))).toBe("/devices");
    const accountId = (await someone.account()) ?? "";
    someone.console.cookies.clear();
    await through(await someone.console.open("/sign-in/with/facebook"));
    expect(await someone.account()).toBe(accountId);
    await expect.poll(() => facebook.alive()).toEqual([]);
    const tokens = Object.fromEntries(facebook.given.map((token, at) => [`token ${at}`, token]));
    const markers = { ...tokens, claim: facebook.secretClaim, subject: facebookId };
    await world.sweep();
    expect(await searchFolder(world, markers, { accountId })).toEqual([]);
  });
});

it.each([workerd, deno])("a provider that is down is said to be, on $name", async (runtime) => {
  const oidc = await startOidcProvider(() => []);
  await oidc.close();
  const world = await World.create(runtime, elsewhereVariables(oidc));
  try {
    const browser = new Browser(world.origin);
    const away = await browser.open("/sign-in/with/oidc");
    expect([away.status, [...browser.cookies]]).toEqual([503, []]);
    expect((away as Page).html).toContain("The other provider does not answer right now");
  } finally {
    await world.close();
  }
});

type Texts = Readonly<Record<string, string>>;

/** Searches the folder of an edge that runs: a database may drop a file of its own meanwhile. */
async function searchFolder(world: World, markers: Texts, controls: Texts) {
  for (;;) {
    try {
      return await search({ folder: world.data, markers, controls });
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
    }
  }
}
