/** The operator's list of accounts elsewhere, what is taken of claims, and what the egress gate asks. */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { cautionsOf } from "../../workers/config.ts";
import { identityTransport } from "../../workers/egress/egress.ts";
import { identityProviders } from "../../workers/linked/configuration.ts";
import { IdentityError, identityOf } from "../../workers/linked/identity.ts";

const ORIGIN = "https://latchkey.example";
const read = (text: string | null, origin = ORIGIN) =>
  identityProviders(text, (name) => (name.endsWith("_NONE") ? null : `secret of ${name}`), origin);
const only = (text: string, origin = ORIGIN) => {
  const [provider] = read(text, origin);
  if (provider === undefined) throw new Error("no provider");
  return provider;
};

describe("IDENTITY_PROVIDERS", () => {
  it("knows Google and Facebook by a name and a client", () => {
    const [google, facebook] = read("google client=12; facebook client=34");
    expect(google).toMatchObject({
      id: "google",
      title: "Google",
      kind: "oidc",
      issuer: "https://accounts.google.com",
      clientId: "12",
      clientSecret: "secret of IDENTITY_SECRET_GOOGLE",
      scopes: ["openid", "email", "profile"],
      emails: "own",
      loopback: false,
    });
    expect(facebook).toMatchObject({
      kind: "facebook",
      title: "Facebook",
      origins: ["https://graph.facebook.com"],
      emails: "asked",
    });
    expect(facebook).toHaveProperty("dialogUrl", "https://www.facebook.com/v23.0/dialog/oauth");
  });

  it("takes any other by its issuer, one a line or between semicolons", () => {
    const text = `
      my-work title=Our_company issuer=https://login.example.org/a/ client=c hosts=api.example.org:8443 emails=believed
      club title=Club issuer=https://club.example client=d scopes=openid,email;`;
    const [work, club] = read(text);
    expect(work).toMatchObject({
      id: "my-work",
      title: "Our company",
      issuer: "https://login.example.org/a/",
      clientSecret: "secret of IDENTITY_SECRET_MY_WORK",
      origins: ["https://login.example.org", "https://api.example.org:8443"],
      emails: "believed",
    });
    expect(club).toMatchObject({ scopes: ["openid", "email"], emails: "asked" });
  });

  it("warns of a provider whose word is taken for an address, and of no other", () => {
    const list = `google client=1; facebook client=2
      safe title=Safe issuer=https://safe.example client=c
      work title=Our_company issuer=https://a.example client=c emails=believed`;
    const cautions = cautionsOf({ identityProviders: read(list) });
    expect(cautions.map(({ event }) => event)).toEqual(["emails-believed"]);
    expect(cautions[0]?.sentence).toMatch(/"work" \(Our company\).+any address.+emails=asked/);
  });

  it.each([null, "", " ; ; \n"])("may be empty: %j", (text) => expect(read(text)).toEqual([]));

  it.each([
    ["Google client=1", /reads name client=…/],
    ["google", /client=… is missing/],
    ["google client=1 issuer=https://evil.example", /issuer is not known here/],
    ["google client=1 client=2", /client is there twice/],
    ["google client", /no word like client=…/],
    ["google client=1; google client=2", /it is there twice/],
    ["none title=None issuer=https://a.example client=c", /set IDENTITY_SECRET_NONE/],
    ["work client=c title=W", /issuer=https:\/\/… is missing/],
    ["work issuer=https://a.example client=c", /title=… is missing/],
    ["work title=W issuer=http://a.example client=c", /must begin with https/],
    ["work title=W issuer=https://a.example?b client=c", /have no query/],
    ["work title=W issuer=https://u:p@a.example client=c", /must begin with https/],
    ["work title=W issuer=nonsense client=c", /must begin with https/],
    ["work title=W issuer=https://a.example client=c hosts=a/b?c", /hosts must/],
    ["work title=W issuer=https://a.example client=c scopes=email", /must contain openid/],
    ["work title=W issuer=https://a.example client=c scopes=openid,,x", /scopes are words/],
    ["work title=W issuer=https://a.example client=c emails=maybe", /believed or asked/],
    ["work title=W issuer=http://127.0.0.1:99 client=c", /for this machine only/],
    ["facebook client=1 graph=https://evil.example", /Facebook's own/],
  ])("is refused with a sentence: %s", (text, sentence) => {
    expect(() => read(text)).toThrow(sentence);
    expect(() => read(text)).toThrow(/^IDENTITY_PROVIDERS/);
  });

  it("lets a provider on this machine speak http to a console on this machine", () => {
    const text = "try title=Try issuer=http://127.0.0.1:9999 client=c";
    expect(only(text, "http://localhost:8787").loopback).toBe(true);
  });
});

describe("[ACC-2] an identity", () => {
  const google = only("google client=12");
  const work = only("work title=W issuer=https://a.example client=c emails=believed");
  const facebook = only("facebook client=34");
  const email = (address: unknown, more: object = {}) => ({
    subject: "1",
    email: address,
    email_verified: true,
    ...more,
  });

  it("has the declared claims and no other", () => {
    const claims = {
      ...email("ada@example.org"),
      name: "Ada",
      picture: "https://x/p.png",
      phone: "1",
    };
    expect(identityOf(work, claims)).toEqual({
      provider: "work",
      issuer: "https://a.example",
      subject: "1",
      name: "Ada",
      email: "ada@example.org",
      emailChecked: true,
    });
  });

  it.each([
    [work, email("ada@example.org"), true],
    [work, email("ada@example.org", { email_verified: false }), false],
    [work, email("ada@example.org", { email_verified: "true" }), false],
    [work, email("ada@example.org", { email_verified: undefined }), false],
    [work, email("no address"), false],
    [work, email(["ada@example.org"]), false],
    [google, email("ada@gmail.com"), true],
    [google, email("ada@notgmail.com"), false],
    [google, email("ada@gmail.com.evil.example"), false],
    [google, email("ada@works.example", { hd: "works.example" }), true],
    [google, email("ada@works.example", { hd: "" }), false],
    [facebook, email("ada@example.org"), false],
  ])("of $id is taken for checked as that provider deserves: %j", (provider, claims, checked) => {
    expect(identityOf(provider, claims).emailChecked).toBe(checked);
  });

  it.each([
    ["Ada\u0000\n\u202eL", "Ada L"],
    ["  ", null],
    [7, null],
    ["é".repeat(500), "é".repeat(limits.identityNameLength)],
  ])("shows a name as one line: %j", (name, shown) => {
    expect(identityOf(work, { subject: "1", name }).name).toBe(shown);
  });

  it.each([undefined, "", 7, null, "x".repeat(256)])("needs a subject, not %j", (subject) => {
    expect(() => identityOf(work, { subject })).toThrow(IdentityError);
  });
});

describe("[SHR-1] the way to a provider", () => {
  let server: Server;
  let origin = "";
  const seen: {
    path: string | undefined;
    method: string | undefined;
    headers: object;
    body: string;
  }[] = [];

  beforeAll(async () => {
    server = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      seen.push({ path: request.url, method: request.method, headers: request.headers, body });
      if (request.url === "/away") response.writeHead(302, { location: `${origin}/elsewhere` });
      if (request.url === "/large") response.write("x".repeat(limits.identityAnswerBytes + 1));
      response.end("answer");
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve());
    });
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => void server.close());

  const ask = (url: string, more: object = {}, provider = "try") => {
    const send = identityTransport([{ id: "try", origins: [origin] }]);
    return send({ provider, method: "GET", url, authorization: "", body: "", ...more });
  };

  it("asks what it is told, as a form, and brings the answer back", async () => {
    const more = { method: "POST", body: "a=b", authorization: "Basic eA==" };
    expect(await ask(`${origin}/token`, more)).toEqual({
      status: 200,
      contentType: "",
      body: "answer",
    });
    expect(seen.at(-1)).toMatchObject({
      path: "/token",
      method: "POST",
      body: "a=b",
      headers: {
        authorization: "Basic eA==",
        "content-type": "application/x-www-form-urlencoded",
        accept: "application/json",
      },
    });
  });

  it.each([
    ["another host", "http://localhost:1/"],
    ["another scheme", "https://127.0.0.1/"],
    ["the platform's own addresses", "http://169.254.169.254/latest"],
    ["a file", "file:///etc/passwd"],
    ["nonsense", "::"],
  ])("asks no other: %s", async (_, url) => {
    const before = seen.length;
    await expect(ask(url)).rejects.toThrow("configured hosts");
    expect(seen.length).toBe(before);
  });

  it("asks nobody for a provider that is not configured", async () => {
    await expect(ask(`${origin}/x`, {}, "evil")).rejects.toThrow("configured hosts");
    await expect(ask(`${origin}@evil.example/x`)).rejects.toThrow("configured hosts");
  });

  it("follows no redirect, and reads no answer without end", async () => {
    expect((await ask(`${origin}/away`)).status).toBe(302);
    expect(seen.at(-1)?.path).toBe("/away");
    await expect(ask(`${origin}/large`)).rejects.toThrow("too large");
  });
});
