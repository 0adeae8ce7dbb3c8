/** Routes of reporting the page behind a door: for anybody, signed in or not. */

import { isId, randomBase62 } from "../protocol/ids.ts";
import { reportKinds } from "../protocol/reports.ts";
import { type Ctx, service } from "../workers/http.ts";
import { Problem } from "../workers/problem.ts";
import { ONCE_PATTERN, report } from "../workers/reports/reports.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { type Refusal, readForm, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { ReceivedPage, ReportPage, type TypedReport } from "./pages/report.tsx";

const ONCE_LENGTH = 16;

export const reportPages = service();

reportPages.get("/report", (c) => {
  const typed = { door: c.req.query("door") ?? "", about: "phishing", words: "", address: "" };
  return reportPage(c, typed, newOnce(c));
});

reportPages.post("/report", async (c) => {
  const form = await readForm(c);
  const about = reportKinds.find((kind) => kind === form("about"));
  if (about === undefined) throw new Problem("bad-request", "about");
  const typed = {
    ...{ door: form("door"), about },
    ...{ words: form("words"), address: form("address") },
  };
  const once = ONCE_PATTERN.test(form("once")) ? form("once") : newOnce(c);
  let reference = "";
  const refusal = await refusalOf(async () => {
    reference = await report(c.env, { ...typed, once }, clientOf(c));
  });
  if (refusal !== null) return reportPage(c, typed, once, refusal);
  return seeOther(c, `/report/received?reference=${reference}`);
});

reportPages.get("/report/received", (c) => {
  const reference = c.req.query("reference") ?? "";
  if (!isId("rpt", reference)) return seeOther(c, "/report");
  return page(c, { title: "Your report is here" }, <ReceivedPage reference={reference} />);
});

function newOnce(c: Ctx): string {
  return randomBase62(ONCE_LENGTH, (count) => c.env.random.bytes(count));
}

function reportPage(c: Ctx, typed: TypedReport, once: string, refusal?: Refusal): Response {
  return page(
    c,
    { title: "Report a page", refusal },
    <ReportPage
      typed={typed}
      once={once}
      linkZone={c.env.config.linkZone}
      errors={refusal?.errors}
    />,
  );
}
