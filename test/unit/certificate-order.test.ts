/** What becomes of an order when the authority refuses, is busy, or is away. */

import { describe, expect, it } from "vitest";
import type { CertificateOrder } from "../../durable-objects/device/certificate-rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { AcmeRefusal } from "../../workers/certificates/acme.ts";
import { afterRefusal } from "../../workers/certificates/order.ts";

const NOW = 1_000_000_000;
const order: CertificateOrder = {
  ...{ step: "checking", request: "cQ", names: ["nas.ddns.test"], askedAt: NOW, replaces: null },
  ...{ url: "https://authority.test/order/1", challenges: [], proofs: ["p"], dueAt: NOW },
  ...{ failures: 0, problem: null },
};
const away = new AcmeRefusal({ detail: "the authority cannot be reached" }, 503, 5000);
const refused = new AcmeRefusal({ detail: "no such order" }, 404, null);
const begun = { step: "waiting", url: null, proofs: [] };

describe("an order that the authority was told to look at", () => {
  it("is asked about again while that is busy or away: what it issued meanwhile would be nobody's", () => {
    const after = afterRefusal(order, away, NOW, true);
    expect(after).toMatchObject({ goesOn: true, isOver: false });
    expect(after.order).toMatchObject({ ...order, dueAt: NOW + 5000, problem: expect.any(String) });
  });

  it("is begun anew once it is refused, or when nothing was heard of it for a week", () => {
    expect(afterRefusal(order, refused, NOW, true)).toMatchObject({ goesOn: false, order: begun });
    const late = afterRefusal(order, away, NOW + limits.acmeOrderMs, true);
    expect(late).toMatchObject({ goesOn: false, order: begun });
  });

  it("has failed once the authority refuses for good", () => {
    const never = new AcmeRefusal({ detail: "no", type: "rejectedIdentifier" }, 400, null);
    const after = afterRefusal(
      { ...order, failures: limits.certificateFailures },
      never,
      NOW,
      true,
    );
    expect(after).toMatchObject({ isOver: true, goesOn: false, order: { step: "failed" } });
  });
});

it("an order that the authority knows nothing of yet begins anew whatever went wrong", () => {
  const after = afterRefusal({ ...order, step: "proving" }, away, NOW, true);
  expect(after).toMatchObject({ goesOn: false, order: begun });
});
