/**
 * Our account at the authority: made with the first order, its key sealed under a key of the service.
 * The directory is read again now and then, as RFC 9773 asks of whoever follows renewals.
 */

import { exportJWK, generateKeyPair, type JWK } from "jose";
import type { KeyName } from "../../db/primitives.ts";
import {
  type AcmeAccountRow,
  acmeAccountAt,
  insertAcmeAccount,
} from "../../db/queries/certificate-orders.ts";
import { limits } from "../../protocol/limits.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { Acme, type Directory, readDirectory } from "./acme.ts";
import type { Authority } from "./configuration.ts";

const SEAL: KeyName = "system/acme";
const sealedFor = (server: string) => `acme_account.key:${server}`;

/** @throws Problem `no-authority` where the operator named none */
export function authorityHere({ config }: Pick<Ports, "config">): Authority {
  if (config.authority === null) throw new Problem("no-authority");
  return config.authority;
}

/** What was read lately, by address; values, never promises. */
const read = new Map<string, { readonly directory: Directory; readonly until: number }>();

/** The authority's directory, at most `limits.renewalAskMs` old. @throws AcmeRefusal */
export async function directoryOf(ports: Ports, { directory: url }: Authority): Promise<Directory> {
  const now = ports.clock.now();
  const kept = read.get(url);
  if (kept !== undefined && kept.until > now) return kept.directory;
  const directory = await readDirectory(ports, url);
  read.set(url, { directory, until: now + limits.renewalAskMs });
  return directory;
}

/** A conversation with the authority as ourselves; our account is made when there is none. @throws AcmeRefusal */
export async function authorityOf(
  ports: Ports,
  authority: Authority,
): Promise<{ readonly acme: Acme; readonly account: AcmeAccountRow }> {
  const { directory: server } = authority;
  const directory = await directoryOf(ports, authority);
  const { db } = ports.directory;
  if ((await acmeAccountAt(db, server)) === null) await makeAccount(ports, authority, directory);
  const account = await acmeAccountAt(db, server);
  if (account === null) throw new Error("an account that was just made is missing");
  const text = await ports.sealer.open(SEAL, sealedFor(server), account.keySealed);
  if (text === null) throw new Error("the key of our account does not open");
  const key = { jwk: JSON.parse(text) as JWK, url: account.url };
  return { acme: new Acme(ports, directory, key), account };
}

async function makeAccount(
  ports: Ports,
  { directory: server, binding }: Authority,
  directory: Directory,
): Promise<void> {
  const pair = await generateKeyPair("ES256", { extractable: true });
  const jwk = await exportJWK(pair.privateKey);
  const url = await new Acme(ports, directory, { jwk, url: null }).newAccount(binding);
  await insertAcmeAccount(ports.directory.db, {
    server,
    url,
    keySealed: await ports.sealer.seal(SEAL, sealedFor(server), JSON.stringify(jwk)),
    createdAt: ports.clock.now(),
    pausedUntil: 0,
  });
}

/** What CAA says of our account there (RFC 8659 §4.2, RFC 8657 §3, §4); null for an authority without a name. */
export function caaOf(
  { caa }: Authority,
  directory: Directory,
  account: Pick<AcmeAccountRow, "url">,
): string | null {
  const name = caa ?? directory.meta?.caaIdentities?.[0] ?? null;
  if (name === null || !/^[A-Za-z0-9.-]+$/.test(name)) return null;
  return `${name}; accounturi=${account.url}; validationmethods=dns-01`;
}
