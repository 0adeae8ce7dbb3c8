/** What is cut out of libraries' classes: a method refuses, the others stay, and one that is not there is told. */

import { expect, it } from "vitest";
import { withoutMethod } from "../../scripts/local/without-unused.ts";

const LIBRARY = `class Mail {
  send(to) {
    return { to };
  }
  async receive({ from }) {
    if (from) {
      return from;
    }
  }
  received(from) {
    return from;
  }
}
export { Mail };
`;

it("leaves a method as a refusal, and the others as they are", async () => {
  const text = withoutMethod(LIBRARY, "receive", "nothing is received");
  const url = `data:text/javascript,${encodeURIComponent(text)}`;
  const { Mail } = (await import(/* @vite-ignore */ url)) as {
    Mail: new () => Record<"send" | "receive" | "received", (of: unknown) => unknown>;
  };
  const mail = new Mail();
  expect(() => mail.receive({ from: "a" })).toThrow("nothing is received");
  expect([mail.send("b"), mail.received("c")]).toEqual([{ to: "b" }, "c"]);
});

it("says when a library has no such method any more", () => {
  expect(() => withoutMethod(LIBRARY, "forward", "")).toThrow("there is no method forward");
});
