/**
 * `certificate`: has the box's name certified, for a key that never leaves the box. The cloud orders at the
 * authority; the agent makes the key and the request, fetches the chain, installs both and runs a hook.
 * `run` renews by itself what was asked for once.
 */

import { spawn } from "node:child_process";
import { signAssertion } from "../protocol/assertion.ts";
import { type CertificateAnswer, certificatePath } from "../protocol/certificates.ts";
import { limits } from "../protocol/limits.ts";
import { CertificateFiles, type CertificateSettings } from "./certificate-files.ts";
import { type AgentClock, systemClock } from "./clock.ts";
import { post, problemOf } from "./cloud.ts";
import { AgentFailure, exitCodes } from "./failure.ts";
import { type EnrolledDevice, Home, type Identity } from "./home.ts";

export interface CertificateOptions {
  /** The agent's folder. */
  readonly home: string;
  /** Tells a person what happens. */
  log(line: string): void;
  readonly signal: AbortSignal;
  readonly clock?: AgentClock;
}

/** What was typed. */
export interface CertificateFlags {
  readonly wildcard: boolean;
  readonly hook: string | undefined;
  /** A new one, although the old one is good. */
  readonly force: boolean;
}

interface Box {
  readonly device: EnrolledDevice;
  readonly identity: Identity;
  readonly files: CertificateFiles;
  readonly clock: AgentClock;
}

/** Asks for a certificate and waits until it is installed. @throws AgentFailure with a sentence */
export async function certify(options: CertificateOptions, flags: CertificateFlags): Promise<void> {
  const box = await boxAt(options);
  const before = await box.files.settings();
  const hook = flags.hook ?? before?.hook ?? null;
  const settings = { wildcard: flags.wildcard, hook: hook === "" ? null : hook };
  await box.files.saveSettings(settings);
  const wanted = await wantedOf(box, settings);
  if (!flags.force && !(await isDue(box, wanted))) {
    const until = new Date((await box.files.installed())?.notAfter ?? 0).toISOString();
    options.log(`The certificate in ${box.files.live} is good until ${until}.`);
    return;
  }
  await renewAll(box, wanted, options);
}

/** Renews what was asked for once: at once where it is due, and then for as long as the agent runs. */
export async function keepCertified(
  options: CertificateOptions & { onNew(): Promise<void> | void },
): Promise<void> {
  const box = await boxAt(options);
  while (!options.signal.aborted) {
    const settings = await box.files.settings();
    if (settings === null) return;
    try {
      const wanted = await wantedOf(box, settings);
      if (await isDue(box, wanted)) {
        await renewAll(box, wanted, options);
        await options.onNew();
      }
    } catch (error) {
      if (!(error instanceof AgentFailure)) throw error;
      options.log(`The certificate is not renewed: ${error.message}`);
    }
    await box.clock.sleep(limits.certificateIdleAskSeconds * 1000, options.signal);
  }
}

async function boxAt({ home: folder, clock = systemClock }: CertificateOptions): Promise<Box> {
  const home = new Home(folder);
  const [device, identity] = [await home.device(), await home.identity()];
  if (device === null || identity === null) {
    throw new AgentFailure("This box is not enrolled yet.", exitCodes.notEnrolled);
  }
  return { device, identity, files: new CertificateFiles(folder), clock };
}

/** The authority does not certify what it was asked for. */
class Refused extends AgentFailure {}

/** What is to be certified by now, and how the last order stands. */
interface Wanted {
  readonly settings: CertificateSettings;
  /** The box's own. */
  readonly own: readonly string[];
  /** These, and domains of its owner's. */
  readonly names: readonly string[];
  readonly stands: CertificateAnswer;
}

/** The box's name, what was asked for below it, and domains of its owner's that lead to it. */
async function wantedOf(box: Box, settings: CertificateSettings): Promise<Wanted> {
  const stands = await ask(box);
  const { host } = box.device;
  const own = settings.wildcard ? [host, `*.${host}`] : [host];
  return { settings, own, names: [...own, ...stands.domains], stands };
}

/** True when there is no certificate for the names, or the authority would have it renewed by now. */
async function isDue(box: Box, { names, stands }: Wanted): Promise<boolean> {
  const installed = await box.files.installed();
  const now = box.clock.now();
  if (installed === null || installed.notAfter <= now) return true;
  if (!names.every((name) => installed.fits(name.replace("*", "any")))) return true;
  const { status, renew_at: renewAt } = stands;
  return status === "none" || (renewAt !== null && Date.parse(renewAt) <= now);
}

/**
 * Renews. A domain that the authority does not certify, as its own DNS may say whatever leads here, does not
 * keep the box's own names from what is due to them.
 */
async function renewAll(box: Box, wanted: Wanted, options: CertificateOptions): Promise<void> {
  try {
    await renew(box, wanted, options);
  } catch (error) {
    const own = { ...wanted, names: wanted.own };
    const isForOwn = wanted.names.length === own.names.length;
    if (!(error instanceof Refused) || isForOwn || !(await isDue(box, own))) throw error;
    options.log(`${error.message} It is asked for the box's own names alone.`);
    await renew(box, own, options);
  }
}

/** From the request to the installed chain. Broken off, it goes on with the same key next time. */
async function renew(
  box: Box,
  { settings, names }: Wanted,
  { log, signal }: CertificateOptions,
): Promise<void> {
  const pending = await box.files.pendingFor(names);
  let answer = await ask(box, pending.request);
  for (let said = ""; ; answer = await ask(box)) {
    const { certificate, problem, status } = answer;
    if (certificate !== null && box.files.certifies(pending, certificate)) {
      await box.files.install(pending, certificate);
      log(`A new certificate is in ${box.files.live}, good until ${answer.not_after}.`);
      return await runHook(settings, box.files, log);
    }
    if (status === "failed" || status === "none") {
      await box.files.dropPending();
      throw new Refused(`The authority did not certify it. ${problem ?? "Ask again later."}`);
    }
    // The one that there is came of another request: ours is not under way any more, and would never end.
    if (status === "ready") throw new Refused("The order was given up, for its names changed.");
    const sentence = sentenceOf(answer);
    if (sentence !== said) log(sentence);
    said = sentence;
    await box.clock.sleep(answer.retry_after * 1000, signal);
    if (signal.aborted) throw new AgentFailure("Stopped before the certificate was there.");
  }
}

function sentenceOf({ status, queue, problem }: CertificateAnswer): string {
  if (status === "under-way") return "The authority looks whether the name is this box's.";
  if (problem !== null) return `It is tried again: ${problem}`;
  return queue === null
    ? "The order begins."
    : `The authority takes so many a week; before this one are ${queue}.`;
}

async function ask(box: Box, request?: string): Promise<CertificateAnswer> {
  const { cloud, device_id: id } = box.device;
  const assertion = await signAssertion(box.identity.privateKey, id, cloud, box.clock.now());
  const answer = await post(cloud, certificatePath, {
    client_assertion: assertion,
    ...(request === undefined ? {} : { request }),
  });
  if (answer.status !== 200) throw new AgentFailure(`${cloud} refused: ${problemOf(answer)}`);
  return answer.body as CertificateAnswer;
}

/** @throws AgentFailure when it did not end well; the certificate stays. */
async function runHook(
  { hook }: CertificateSettings,
  files: CertificateFiles,
  log: (line: string) => void,
): Promise<void> {
  if (hook === null) return;
  const code = await new Promise<number | null>((resolve) => {
    const environment = { ...process.env, LATCHKEY_CERTIFICATE: files.live };
    const child = spawn(hook, { shell: true, stdio: "inherit", env: environment });
    child.once("error", () => resolve(null));
    child.once("close", resolve);
  });
  if (code !== 0) throw new AgentFailure(`The hook ended with ${code ?? "no code"}: ${hook}`);
  log("The hook ran.");
}
