/** An account that is erased takes with it everything that was under way to get into it. */

import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import {
  askAddress,
  listAddresses,
  removeAddress,
  verifyAddress,
} from "../../workers/account/addresses.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { completeSignIn } from "../../workers/sign-in/complete.ts";
import { askReset, resetPassword } from "../../workers/sign-in/forgot.ts";
import { askWithoutStep, finishWithoutStep, stopByLink } from "../../workers/sign-in/lost-step.ts";
import { takeTypedStep } from "../../workers/sign-in/second-step.ts";
import { totpCode } from "../../workers/sign-in/totp.ts";
import { CLIENT, newPerson, PASSWORD } from "../support/person.ts";
import { testPorts } from "../support/ports.ts";
import { firstStep, withApp } from "./steps-support.ts";

it("ends every step, code, link and wait; each is answered as one that never was", async () => {
  const test = testPorts({ env });
  const { ports } = test;
  const address = "midway@erased.example";
  const { accountId } = await newPerson(test, address);
  const { secret, recoveryCodes } = await withApp(test, accountId);
  const mailed = (pattern: RegExp) =>
    test.mail.sent.map(({ text }) => pattern.exec(text)?.[1] ?? "").findLast((one) => one) ?? "";

  await askWithoutStep(ports, await firstStep(test, address), CLIENT);
  const stop = mailed(/\/recovery\/stop\?token=(\S+)/);
  test.clock.advance(limits.recoveryWaitMs);
  const step = await firstStep(test, address);
  await askWithoutStep(ports, step, CLIENT);
  const finish = mailed(/\/recovery\/finish\?token=(\S+)/);
  await askReset(ports, address, CLIENT);
  await test.settle();
  const reset = mailed(/\/forgot\/new\?token=(\S+)/);
  const adding = await askAddress(ports, accountId, `more-${address}`, CLIENT);
  const code = mailed(/^(\d{6}) is the code/m);
  expect([stop, finish, reset, code].map(Boolean)).toEqual([true, true, true, true]);

  await eraseAccount(ports, accountId);
  const totp = { kind: "totp", code: totpCode(secret, test.clock.now()) } as const;
  const recovery = { kind: "recovery-code", code: recoveryCodes?.[0] ?? "" } as const;
  const tries: [() => Promise<unknown>, string][] = [
    [() => takeTypedStep(ports, step, totp, CLIENT), "sign-in-expired"],
    [() => takeTypedStep(ports, step, recovery, CLIENT), "sign-in-expired"],
    [() => askWithoutStep(ports, step, CLIENT), "sign-in-expired"],
    [() => finishWithoutStep(ports, { stepToken: step, token: finish }, CLIENT), "sign-in-expired"],
    [() => stopByLink(ports, stop, CLIENT), "link-expired"],
    [
      () => resetPassword(ports, { token: reset, password: `${PASSWORD} 2` }, CLIENT),
      "link-expired",
    ],
    [() => verifyAddress(ports, accountId, { token: adding.token, code }, CLIENT), "code-expired"],
    [
      () => completeSignIn(ports, { accountId, methods: ["passkey-verified"] }, CLIENT),
      "bad-credentials",
    ],
  ];
  for (const [tried, says] of tries) await expect(tried()).rejects.toMatchObject({ code: says });
});

describe("[RGT-4] a password reset that waits", () => {
  const { DB_HOME, KEYS_HOME } = env as unknown as {
    DB_HOME: D1Database;
    KEYS_HOME: R2Bucket;
  };
  /** Every row that waits, and every key but the proofs of erasure. */
  const held = async () => {
    const rows = await DB_HOME.prepare("SELECT token_hash FROM challenge").all();
    const keys = (await KEYS_HOME.list()).objects.map(({ key }) => key);
    return [rows.results, keys.filter((key) => !key.startsWith("ledger/"))];
  };
  const linkIn = (test: ReturnType<typeof testPorts>) =>
    test.mail.sent
      .map(({ text }) => /forgot\/new\?token=(\S+)/.exec(text)?.[1])
      .findLast((token) => token !== undefined) ?? "";
  const NEXT = `${PASSWORD} 2`;
  const reset = (test: ReturnType<typeof testPorts>, token: string) =>
    resetPassword(test.ports, { token, password: NEXT }, CLIENT).then(
      ({ kind }) => kind,
      ({ code }) => (code === "link-expired" ? "expired" : code),
    );

  it("goes with the account: its link is dead, and no row and no key of it is left", async () => {
    const test = testPorts({ env });
    const address = "waiting@erased.example";
    const before = await held();
    const { accountId } = await newPerson(test, address);
    await askReset(test.ports, address, CLIENT);
    await test.settle();
    expect((await held())[0]).toHaveLength((before[0]?.length ?? 0) + 1);
    await eraseAccount(test.ports, accountId);
    expect(await held()).toEqual(before);
    expect(await reset(test, linkIn(test))).toBe("expired");
  });

  it("goes with an account that was erased while it was asked for", async () => {
    const test = testPorts({ env });
    const address = "between@erased.example";
    const before = await held();
    const { accountId } = await newPerson(test, address);
    const { directory } = test.ports;
    const asked = Object.create(directory, {
      accountOfContact: {
        value: async (hash: string) => {
          const holder = await directory.accountOfContact(hash);
          await eraseAccount(test.ports, accountId);
          return holder;
        },
      },
      contactHash: { value: directory.contactHash.bind(directory) },
    });
    await askReset({ ...test.ports, directory: asked }, address, CLIENT);
    await test.settle();
    expect(await held()).toEqual(before);
  });

  it("goes with an address that is removed", async () => {
    const test = testPorts({ env });
    const [address, more] = ["kept@erased.example", "given-up@erased.example"];
    const { accountId } = await newPerson(test, address);
    const { token } = await askAddress(test.ports, accountId, more, CLIENT);
    const code = /^(\d{6}) is the code/m.exec(test.mail.sent.at(-1)?.text ?? "")?.[1] ?? "";
    await verifyAddress(test.ports, accountId, { token, code }, CLIENT);
    const before = await held();
    await askReset(test.ports, more, CLIENT);
    const own = await listAddresses(test.ports, accountId);
    const { id = "" } = own.find(({ text }) => text === more) ?? {};
    await removeAddress(test.ports, accountId, id, CLIENT);
    await test.settle();
    expect(await held()).toEqual(before);
  });

  it("is replaced by a newer one for the same address", async () => {
    const test = testPorts({ env });
    const address = "newer@erased.example";
    await newPerson(test, address);
    const ask = async () => {
      await askReset(test.ports, address, CLIENT);
      await test.settle();
      return linkIn(test);
    };
    const before = (await held())[0]?.length ?? 0;
    const [first, second] = [await ask(), await ask()];
    expect((await held())[0]).toHaveLength(before + 1);
    expect([await reset(test, first), await reset(test, second)]).toEqual(["expired", "signed-in"]);
  });

  it("is not ended by one for another address, which would tell that both are of one account", async () => {
    const test = testPorts({ env });
    const [address, more] = ["first@erased.example", "second@erased.example"];
    const { accountId } = await newPerson(test, address);
    const { token } = await askAddress(test.ports, accountId, more, CLIENT);
    const code = /^(\d{6}) is the code/m.exec(test.mail.sent.at(-1)?.text ?? "")?.[1] ?? "";
    await verifyAddress(test.ports, accountId, { token, code }, CLIENT);
    await askReset(test.ports, address, CLIENT);
    await test.settle();
    const first = linkIn(test);
    await askReset(test.ports, more, CLIENT);
    await test.settle();
    expect(await reset(test, first)).toBe("signed-in");
  });

  it("opens where it was not sealed, though keys of before are in memory everywhere", async () => {
    const one = testPorts({ env });
    const other = testPorts({ env, clock: one.clock });
    const address = "memory@erased.example";
    await newPerson(one, address);
    const results = [];
    for (const [asks, resets] of [
      [one, other],
      [one, other],
      [other, one],
    ] as const) {
      await askReset(asks.ports, address, CLIENT);
      await asks.settle();
      results.push(await reset(resets, linkIn(asks)));
    }
    expect(results).toEqual(["signed-in", "signed-in", "signed-in"]);
  });
});
