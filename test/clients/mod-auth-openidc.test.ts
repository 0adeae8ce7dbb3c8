/** Apache with mod_auth_openidc against a running edge, with a person in Chromium: a page behind a sign-in. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newPerson, type Person } from "../contract/suite/person.ts";
import type { World } from "../contract/suite/world.ts";
import { freePort, startBrowser, visit } from "../support/browser.ts";
import { registration, startProvider } from "./openid/latchkey.ts";

const MODULES = "/usr/lib/apache2/modules";
const PROGRAM = "/usr/sbin/apache2";
const secret = "a secret that Apache holds";

describe("Apache with mod_auth_openidc", () => {
  let world: World;
  let person: Person;
  let folder: string;
  let origin: string;
  let apache: ChildProcess;
  let browser: Browser;

  beforeAll(async () => {
    if (!existsSync(PROGRAM) || !existsSync(`${MODULES}/mod_auth_openidc.so`)) {
      throw new Error(
        "Apache is not installed: apt-get install apache2 libapache2-mod-auth-openidc",
      );
    }
    const port = await freePort();
    origin = `http://localhost:${port}`;
    const client = {
      id: "apache",
      secret,
      method: "client_secret_basic",
      redirectUri: `${origin}/secret/callback`,
    } as const;
    world = await startProvider([
      registration(client, { post_logout_redirect_uris: [`${origin}/bye`] }),
    ]);
    person = await newPerson(world);
    folder = await mkdtemp(join(tmpdir(), "latchkey-apache-"));
    await configure(port);
    apache = spawn(PROGRAM, ["-X", "-f", join(folder, "apache.conf")], { stdio: "inherit" });
    browser = await startBrowser();
    await answers(`${origin}/index.txt`);
  });
  afterAll(async () => {
    await browser?.close();
    const gone = apache && new Promise((resolve) => apache.once("close", resolve));
    apache?.kill("SIGKILL");
    await gone;
    await rm(folder, { recursive: true, force: true });
    await world?.close();
  });

  /** Everything Apache needs, in a folder of its own. */
  async function configure(port: number): Promise<void> {
    await mkdir(join(folder, "pages/secret"), { recursive: true });
    await writeFile(join(folder, "pages/index.txt"), "for everybody");
    await writeFile(
      join(folder, "pages/secret/index.shtml"),
      'inside: <!--#echo var="REMOTE_USER" --> <!--#echo var="OIDC_CLAIM_email" -->',
    );
    const load = (name: string) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`;
    const modules = ["mpm_event", "authn_core", "authz_core", "authz_user", "dir", "include"];
    const lines = [
      ...[...modules, "auth_openidc"].map(load),
      `ServerRoot ${folder}`,
      "ServerName localhost",
      `Listen 127.0.0.1:${port}`,
      `PidFile ${folder}/apache.pid`,
      `ErrorLog ${folder}/error.log`,
      `Mutex file:${folder}`,
      `DocumentRoot ${folder}/pages`,
      "DirectoryIndex index.shtml",
      `OIDCProviderMetadataURL ${world.origin}/.well-known/openid-configuration`,
      "OIDCClientID apache",
      `OIDCClientSecret "${secret}"`,
      `OIDCRedirectURI ${origin}/secret/callback`,
      'OIDCScope "openid email"',
      "OIDCPKCEMethod S256",
      "OIDCCryptoPassphrase a-passphrase-of-this-test",
      "OIDCCookieSameSite On",
      `<Directory ${folder}/pages>`,
      "  Require all granted",
      "</Directory>",
      "<Location /secret>",
      "  AuthType openid-connect",
      "  Require valid-user",
      "  Options +Includes",
      "  ForceType text/html",
      "  SetOutputFilter INCLUDES",
      "</Location>",
    ];
    await writeFile(join(folder, "apache.conf"), `${lines.join("\n")}\n`);
  }

  /** Waits until a new server answers, and says why when it ended instead. */
  async function answers(url: string): Promise<void> {
    for (;;) {
      if (apache.exitCode !== null) {
        const log = await readFile(join(folder, "error.log"), "utf8").catch(() => "no log");
        throw new Error(`Apache ended with ${apache.exitCode}: ${log}`);
      }
      const answer = await fetch(url).catch(() => null);
      if (answer !== null) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it("lets a person in by Latchkey, and out again", async () => {
    const { page, context } = await visit(browser);
    await page.goto(`${origin}/secret/`);
    expect(new URL(page.url()).origin).toBe(world.origin);
    await page.getByLabel("E-mail address").fill(person.address);
    await page.getByLabel("Password", { exact: true }).fill(person.password);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("heading", { name: "Sign in to The apache app?" }).waitFor();
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.waitForURL(`${origin}/secret/`);
    expect(await page.textContent("body")).toContain(person.address);
    expect(await page.textContent("body")).not.toContain(person.accountId);

    // Out of Apache, which asks Latchkey to sign out, too; the person says yes.
    const bye = encodeURIComponent(`${origin}/bye`);
    await page.goto(`${origin}/secret/callback?logout=${bye}`);
    await page.getByRole("button", { name: "Sign out", exact: true }).last().click();
    await page.waitForURL(/\/bye/);
    await page.goto(`${origin}/secret/`);
    await page.getByLabel("Password", { exact: true }).waitFor();
    await context.close();
  });

  it("shows a no as a refusal, and the page to nobody", async () => {
    const { page, context } = await visit(browser);
    await page.goto(`${origin}/secret/`);
    await page.getByLabel("E-mail address").fill(person.address);
    await page.getByLabel("Password", { exact: true }).fill(person.password);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("button", { name: "No, go back" }).click();
    await page.waitForURL(/\/secret\/callback/);
    expect(await page.textContent("body")).not.toContain("inside:");
    await context.close();
  });
});
