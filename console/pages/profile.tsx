/** A person's own profile: every field held, who may see it, and one button that clears it. */

import type { Child } from "hono/jsx";
import { limits } from "../../protocol/limits.ts";
import { languages, timeZones } from "../../workers/people/locale.ts";
import type { ProfileField, ProfileFieldName, Visibility } from "../../workers/people/profile.ts";
import { AccountFrame } from "../account-nav.tsx";
import { Avatar } from "../components/avatar.tsx";
import { ErrorSummary, Field, type FormErrors } from "../components/form.tsx";
import { Icon } from "../components/icons.tsx";

const PATH = "/account/profile";

const seenBy: readonly [Visibility, string][] = [
  ["nobody", "Nobody but you"],
  ["contacts", "Your contacts"],
  ["everyone", "Everyone who has your ID"],
];

interface ProfileProps {
  readonly fields: readonly ProfileField[];
  /** Where the own photo is; null when there is none. */
  readonly photo: string | null;
  readonly done: string | null;
  /** What was typed into the form that was refused. */
  readonly typed?: { readonly field: string; readonly value: string } | undefined;
  readonly errors?: FormErrors | undefined;
}

export function ProfilePage({ fields, photo, done, typed, errors }: ProfileProps) {
  const of = (name: ProfileFieldName): ProfileField =>
    fields.find(({ field }) => field === name) ?? {
      field: name,
      value: null,
      visibility: "nobody",
      changedAt: null,
    };
  const text = (name: ProfileFieldName) =>
    typed?.field === name ? typed.value : (of(name).value ?? "");
  const held = fields.some(({ value }) => value !== null);
  return (
    <AccountFrame
      at="profile"
      title="Your profile"
      lead="Nothing here is needed: everything works without it. What you say is sealed under a key of your own, and only those you choose see it."
      done={done}
    >
      <ErrorSummary errors={errors} />
      <Part field={of("name")} title="Name" says="What your contacts call you.">
        <Field
          name="name"
          label="Name"
          value={text("name")}
          autocomplete="name"
          maxlength={limits.profileNameLength * 2}
          optional
          dir="auto"
          errors={errors}
        />
      </Part>
      <PhotoPart field={of("photo")} photo={photo} errors={errors} />
      <Part field={of("about")} title="About you" says="One line.">
        <Field
          name="about"
          label="A line about you"
          value={text("about")}
          maxlength={limits.profileAboutLength * 2}
          optional
          dir="auto"
          errors={errors}
        />
      </Part>
      <Part
        field={of("language")}
        title="Language"
        says="The console speaks English so far; there is nothing else to choose yet."
      >
        <Choice
          name="language"
          label="Language"
          chosen={text("language")}
          options={Object.entries(languages)}
        />
      </Part>
      <Part
        field={of("time_zone")}
        title="Time zone"
        says="Times are written in it on this browser, which remembers it in a cookie that names nobody. Another browser uses its own."
      >
        <Choice
          name="time_zone"
          label="Time zone"
          chosen={text("time_zone")}
          options={[...timeZones()].map((zone) => [zone, zone.replaceAll("_", " ")])}
        />
      </Part>
      {held && (
        <section class="subject" aria-labelledby="clear">
          <header>
            <h2 id="clear">Clear it all</h2>
            <p>Every field and the photo are gone at once. Your account stays as it is.</p>
          </header>
          <div class="subject-body">
            <form method="post" action={`${PATH}/clear`}>
              <button class="button danger plain" type="submit">
                <Icon name="trash" />
                Clear the whole profile
              </button>
            </form>
          </div>
        </section>
      )}
    </AccountFrame>
  );
}

interface PartProps {
  readonly field: ProfileField;
  readonly title: string;
  readonly says: Child;
  readonly children: Child;
}

/** One field: what it says, who sees it, and both buttons. */
function Part({ field, title, says, children }: PartProps) {
  const name = field.field;
  return (
    <section class="subject" aria-labelledby={`${name}-title`}>
      <header>
        <h2 id={`${name}-title`}>{title}</h2>
        <p>{says}</p>
      </header>
      <div class="subject-body">
        <form class="form field-form" method="post" action={PATH} novalidate>
          <input type="hidden" name="field" value={name} />
          {children}
          <SeenBy field={field} title={title} />
          <Buttons field={field} title={title} />
        </form>
      </div>
    </section>
  );
}

function PhotoPart({
  field,
  photo,
  errors,
}: {
  field: ProfileField;
  photo: string | null;
  errors: FormErrors | undefined;
}) {
  const error = errors?.photo;
  return (
    <section class="subject" aria-labelledby="photo-title">
      <header>
        <h2 id="photo-title">Photo</h2>
        <p>
          Where it was taken, and with what, is taken out of it here before it is kept; only the
          picture stays.
        </p>
      </header>
      <div class="subject-body">
        <form
          class="form field-form"
          method="post"
          action={`${PATH}/photo`}
          enctype="multipart/form-data"
          novalidate
        >
          <div class="photo-row">
            <Avatar photo={photo} large />
            <div class="field">
              <label for="photo">Picture</label>
              <input
                class="input file"
                id="photo"
                name="photo"
                type="file"
                accept="image/png,image/jpeg,image/webp"
                aria-invalid={error === undefined ? undefined : "true"}
                aria-describedby={error === undefined ? "photo-hint" : "photo-hint photo-error"}
                data-island="photo"
              />
              <p class="hint" id="photo-hint">
                PNG, JPEG or WebP, at most {limits.photoBytes / 1024 / 1024} MB and{" "}
                {limits.photoSidePixels} pixels a side. With scripts on, this browser makes it
                smaller first.
              </p>
              {error !== undefined && (
                <p class="error" id="photo-error">
                  <Icon name="warning" />
                  <span>{error}</span>
                </p>
              )}
            </div>
          </div>
          <SeenBy field={field} title="Photo" />
          <Buttons field={field} title="Photo" />
        </form>
      </div>
    </section>
  );
}

function SeenBy({ field, title }: { field: ProfileField; title: string }) {
  const id = `${field.field}-visibility`;
  return (
    <div class="field">
      <label for={id}>
        Who may see it<span class="hidden-text"> ({title})</span>
      </label>
      <select class="input" id={id} name="visibility">
        {seenBy.map(([visibility, words]) => (
          <option value={visibility} selected={visibility === field.visibility}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}

function Buttons({ field, title }: { field: ProfileField; title: string }) {
  return (
    <p class="actions">
      <button class="button plain" type="submit" name="do" value="save">
        Save<span class="hidden-text"> {title}</span>
      </button>
      {field.value !== null && (
        <button class="button plain danger" type="submit" name="do" value="clear">
          Clear<span class="hidden-text"> {title}</span>
        </button>
      )}
    </p>
  );
}

interface ChoiceProps {
  readonly name: string;
  readonly label: string;
  readonly chosen: string;
  readonly options: readonly (readonly [value: string, words: string])[];
}

function Choice({ name, label, chosen, options }: ChoiceProps) {
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <select class="input" id={name} name={name}>
        <option value="" selected={chosen === ""}>
          Not chosen
        </option>
        {options.map(([value, words]) => (
          <option value={value} selected={value === chosen}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}
