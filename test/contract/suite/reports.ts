/** Reports and closed doors, as docs/takedown.md has an operator do it: its commands, in a shell. */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { Box } from "./box.ts";
import { ask } from "./http.ts";
import { newPerson, type Person } from "./person.ts";
import { newLabel, type World } from "./world.ts";

const TOKEN = createHash("sha256").update("the contract's operator").digest("hex");
/** For the contract's edge. */
export const OPERATOR_TOKEN_HASHES = createHash("sha256").update(TOKEN).digest("hex");

/** The commands of the document, each as it stands there. */
async function commands(): Promise<string[]> {
  const text = await readFile(join(import.meta.dirname, "../../../docs/takedown.md"), "utf8");
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, code = ""]) => code);
  return blocks.flatMap((code) => code.replaceAll("\\\n", " ").trim().split("\n"));
}

export function reports(world: () => World): void {
  describe("reports", () => {
    let owner: Person;
    let box: Box;
    let lines: string[];

    beforeAll(async () => {
      owner = await newPerson(world());
      box = await Box.enroll(world(), owner, newLabel());
      await box.switch("link", true);
      await box.ask("/access", "PUT", { mode: "everyone" });
      lines = await commands();
      await world().mailbox.next(owner.address); // the device was added
    });

    /** Runs the one command of the document that has all of `words`; what it answered. */
    async function run(REPORT: string, ...words: string[]) {
      const found = lines.filter((line) => words.every((word) => line.includes(word)));
      expect([words, found.length]).toEqual([words, 1]);
      const shell = [lines.find((line) => line.startsWith("latchkey()")), found[0]].join("\n");
      const ORIGIN = `http://127.0.0.1:${world().port}`;
      const env = { PATH: process.env.PATH, TOKEN, ORIGIN, NAME: box.label, REPORT };
      const { stdout } = await promisify(execFile)("bash", ["-euc", shell], { env });
      // biome-ignore lint/suspicious/noExplicitAny: whatever JSON came
      return JSON.parse(stdout) as any;
    }
    const report = async (words: string) => {
      const body = { door: box.label, about: "phishing", words, address: `${words}@example.test` };
      const answer = await ask(world(), "/api/reports", { body });
      expect(answer.status).toBe(201);
      return String(answer.json.reference);
    };

    it("are read, dismissed and answered; a door is closed, objected to, and opened", async () => {
      const [harmless, harm] = [await report("harmless"), await report("harm")];
      const listed = (await run("", '/operator/reports"')).reports as { id: string }[];
      expect(listed.map(({ id }) => id)).toEqual([harmless, harm]);
      expect(await run(harm, '/reports/$REPORT"')).toMatchObject({ words: "harm" });
      expect(await run(harmless, "dismissal")).toMatchObject({ outcome: "dismissed" });
      expect((await world().mailbox.next("harmless@example.test")).text).toContain(harmless);
      expect((await box.visit("/")).json.code).toBe("device-offline");

      expect((await run("", "PUT")).closed).toMatchObject({ reason: "phishing", extent: "open" });
      expect((await box.visit("/")).json.code).toBe("door-closed");
      expect((await world().mailbox.next("harm@example.test")).text).toContain(harm);
      expect((await world().mailbox.next(owner.address)).text).toContain("the page of a bank");
      expect((await box.ask("")).json.access.closed).toMatchObject({ reason: "phishing" });

      await box.ask("/door/objection", "PUT", { words: "It is my own bank." });
      const [objection] = (await run("", "objections")).objections;
      expect(objection).toMatchObject({ door: box.label, words: "It is my own bank." });
      expect((await run("", "objection/answer")).objection).toBeNull();
      expect((await world().mailbox.next(owner.address)).text).toContain("It is not yours.");
      expect((await run("", "DELETE")).closed).toBeNull();
      expect(await run("", 'doors/$NAME"')).toMatchObject({ closed: null, reports: [] });
      expect((await box.visit("/")).json.code).toBe("device-offline");
    });

    it("are nobody's to read without the token", async () => {
      for (const token of ["", "x".repeat(64), OPERATOR_TOKEN_HASHES, owner.token]) {
        expect((await ask(world(), "/api/operator/reports", { token })).status).toBe(401);
      }
    });
  });
}
