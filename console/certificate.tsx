/** The certificate of a device's name: how it stands, and the ways to one that the owner has. */

import { note } from "../workers/account/activity.ts";
import { isKeptOut } from "../workers/certificates/caa.ts";
import {
  type RevocationReason,
  revocationReasons,
  revokeCertificate,
} from "../workers/certificates/revocation.ts";
import { certificateOf, setAuthorities } from "../workers/certificates/service.ts";
import { statusOf } from "../workers/certificates/view.ts";
import { getDevice } from "../workers/devices/devices.ts";
import { confirmed, signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { readForm } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { CertificatePage, RevokePage } from "./pages/certificate.tsx";

const done: Readonly<Record<string, string>> = {
  revoked: "Revoked. The box comes with a new key when it asks next.",
  only: "Only the authority that we order from may certify the name now.",
  any: "Every authority may certify the name now.",
};

export const certificatePages = service();
certificatePages.use("/devices/:id/certificate", signedIn);
certificatePages.use("/devices/:id/certificate/*", signedIn);

const pathOf = (c: Ctx) => `/devices/${encodeURIComponent(c.req.param("id") ?? "")}/certificate`;
const deviceOf = (c: Ctx) => getDevice(c.env, c.var.accountId, c.req.param("id") ?? "");

certificatePages.get("/devices/:id/certificate", async (c) => {
  const device = await deviceOf(c);
  const view = await certificateOf(c.env, device.id);
  const own = await c.env.devices.get(device.id).ownRecords();
  const said = c.req.query("done") ?? "";
  const { authority, origin, ddnsZone } = c.env.config;
  return page(
    c,
    { title: `The certificate of ${device.label}`, at: "devices" },
    <CertificatePage
      device={device}
      view={view}
      status={view === null ? "none" : statusOf(view)}
      host={`${device.label}.${ddnsZone}`}
      origin={origin}
      orders={authority !== null}
      isKeptOut={view !== null && own !== null && isKeptOut(authority, view, own)}
      now={c.env.clock.now()}
      done={Object.hasOwn(done, said) ? (done[said] as string) : null}
    />,
  );
});

certificatePages.post("/devices/:id/certificate/authorities", async (c) => {
  const any = (await readForm(c))("any") === "yes";
  const device = await deviceOf(c);
  await setAuthorities(c.env, c.env.devices.get(device.id), any);
  return seeOther(c, `${pathOf(c)}?done=${any ? "any" : "only"}`);
});
certificatePages.get("/devices/:id/certificate/authorities", (c) => seeOther(c, pathOf(c)));

// Asked before the page as well, so that its button works.
certificatePages.get("/devices/:id/certificate/revoke", confirmed, async (c) => {
  const device = await deviceOf(c);
  return page(
    c,
    { title: `Revoke the certificate of ${device.label}`, at: "devices" },
    <RevokePage device={device} host={`${device.label}.${c.env.config.ddnsZone}`} />,
  );
});

certificatePages.post("/devices/:id/certificate/revoke", confirmed, async (c) => {
  const asked = (await readForm(c))("reason");
  if (!Object.hasOwn(revocationReasons, asked)) throw new Problem("bad-request", "reason");
  const device = await deviceOf(c);
  await revokeCertificate(c.env, c.env.devices.get(device.id), asked as RevocationReason);
  await note(c.env, c.var.accountId, "certificate-revoked", {
    client: clientOf(c),
    about: device.label,
  });
  return seeOther(c, `${pathOf(c)}?done=revoked`);
});
