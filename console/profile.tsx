/** Routes of a person's own profile, photo and activity. */

import { DAY, limits } from "../protocol/limits.ts";
import { activityCursor, activityPage } from "../workers/account/activity.ts";
import { signedIn } from "../workers/guard.ts";
import { type Ctx, service } from "../workers/http.ts";
import { keepPreference } from "../workers/people/locale.ts";
import { namesOf } from "../workers/people/named.ts";
import { setPhoto } from "../workers/people/photo.ts";
import {
  clearFields,
  ownProfile,
  type ProfileFieldName,
  profileFields,
  setField,
  showField,
  type Visibility,
} from "../workers/people/profile.ts";
import { followPreference } from "../workers/people/profile-routes.ts";
import { photoPath } from "../workers/people/routes.ts";
import { Problem } from "../workers/problem.ts";
import { clientOf } from "../workers/sign-in/client.ts";
import { type Refusal, readForm, readUpload, refusalOf } from "./forms.ts";
import { page, seeOther } from "./page.ts";
import { ActivityPage } from "./pages/activity.tsx";
import { ProfilePage } from "./pages/profile.tsx";

const PATH = "/account/profile";

const done: Readonly<Record<string, string>> = {
  saved: "Saved. It holds from now on.",
  cleared: "Cleared. Nothing of it is held any more.",
};

const visibilities: readonly Visibility[] = ["nobody", "contacts", "everyone"];
const visibilityOf = (text: string) => visibilities.find((one) => one === text) ?? null;

export const profilePages = service();

profilePages.get(PATH, signedIn, (c) => profilePage(c));

profilePages.post(PATH, signedIn, async (c) => {
  const form = await readForm(c);
  const field = profileFields.find((name) => name === form("field"));
  if (field === undefined || field === "photo") throw new Problem("bad-request");
  const value = form(field);
  if (form("do") === "clear" || value.trim() === "") return await cleared(c, [field]);
  const refusal = await refusalOf(async () => {
    const visibility = visibilityOf(form("visibility"));
    await setField(c.env, c.var.accountId, field, value, { visibility, client: clientOf(c) });
  });
  if (refusal !== null) return await profilePage(c, { field, value }, refusal);
  followPreference(c, field, value);
  return seeOther(c, `${PATH}?done=saved`);
});

profilePages.post(`${PATH}/photo`, signedIn, async (c) => {
  const { form, file } = await readUpload(c, "photo");
  if (form("do") === "clear") return await cleared(c, ["photo"]);
  const visibility = visibilityOf(form("visibility"));
  const refusal = await refusalOf(async () => {
    const client = clientOf(c);
    if (file !== null) return await setPhoto(c.env, c.var.accountId, file, { visibility, client });
    if (visibility !== null && (await hasPhoto(c))) {
      return await showField(c.env, c.var.accountId, "photo", visibility, client);
    }
    throw new Problem("photo-syntax", "photo");
  });
  if (refusal !== null) return await profilePage(c, undefined, refusal);
  return seeOther(c, `${PATH}?done=saved`);
});

profilePages.post(`${PATH}/clear`, signedIn, (c) => cleared(c, profileFields));

profilePages.on("GET", [`${PATH}/photo`, `${PATH}/clear`], signedIn, (c) => seeOther(c, PATH));

profilePages.get("/account/activity", signedIn, async (c) => {
  const before = c.req.query("before");
  const from = before === undefined ? undefined : activityCursor(before);
  if (from === null) throw new Problem("bad-request");
  const { entries, next } = await activityPage(c.env, c.var.accountId, from);
  const about = entries.map((entry) => entry.about);
  const names = await namesOf(c.env, c.var.accountId, about);
  return page(
    c,
    { title: "Activity", at: "account" },
    <ActivityPage
      entries={entries}
      names={names}
      next={next}
      older={from !== undefined}
      days={limits.activityMs / DAY}
      now={c.env.clock.now()}
    />,
  );
});

async function hasPhoto(c: Ctx): Promise<boolean> {
  const fields = await ownProfile(c.env, c.var.accountId);
  return fields.some(({ field, value }) => field === "photo" && value !== null);
}

async function cleared(c: Ctx, fields: readonly ProfileFieldName[]): Promise<Response> {
  await clearFields(c.env, c.var.accountId, fields, clientOf(c));
  if (fields.length > 1) keepPreference(c, { language: null, timeZone: null });
  else for (const field of fields) followPreference(c, field, null);
  return seeOther(c, `${PATH}?done=cleared`);
}

async function profilePage(
  c: Ctx,
  typed?: { field: string; value: string },
  refusal?: Refusal,
): Promise<Response> {
  const { accountId } = c.var;
  const fields = await ownProfile(c.env, accountId);
  const photo = fields.find(({ field, value }) => field === "photo" && value !== null);
  const key = c.req.query("done") ?? "";
  return page(
    c,
    { title: "Your profile", at: "account", refusal },
    <ProfilePage
      fields={fields}
      photo={photo === undefined ? null : `${photoPath(accountId)}?v=${photo.changedAt}`}
      done={Object.hasOwn(done, key) ? (done[key] as string) : null}
      typed={typed}
      errors={refusal?.errors}
    />,
  );
}
