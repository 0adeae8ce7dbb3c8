/** Somebody, small: the photo that they show, or an outline. The name stands beside it. */

import { Icon } from "./icons.tsx";

export function Avatar({ photo, large }: { photo: string | null; large?: boolean }) {
  const look = large ? "avatar large" : "avatar";
  const side = large ? 112 : 44;
  return photo === null ? (
    <span class={look}>
      <Icon name="person" />
    </span>
  ) : (
    <img class={look} src={photo} alt="" width={side} height={side} loading="lazy" />
  );
}
