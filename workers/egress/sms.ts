/**
 * Text messages over Twilio's Messages resource, or any service in its form: a POST with `From`, `To`
 * and `Body`, and basic authentication. Part of the egress gate: nobody else may call it.
 */

import { limits } from "../../protocol/limits.ts";

type Fields = Readonly<Record<string, string>>;

/** @param smsUrl `https://<account>:<secret>@api.twilio.com/2010-04-01/Accounts/<account>/Messages.json` */
export function smsTransport(smsUrl: string | null): (fields: Fields) => Promise<undefined> {
  return async ({ from = "", to = "", text = "" }) => {
    if (smsUrl === null) throw new Error("no text message provider is configured (SMS_URL)");
    const url = new URL(smsUrl);
    const secret = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    url.username = "";
    url.password = "";
    const response = await fetch(url, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(secret)}` },
      body: new URLSearchParams({ From: from, To: to, Body: text }),
      redirect: "manual",
      signal: AbortSignal.timeout(limits.smsMs),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`the provider answered ${response.status}`);
  };
}
