/** What the page says where it cannot show a document: plain, and always with the way to download it. */

import { type Kind, kinds, megabytes } from "../../protocol/view.ts";
import type { Failure } from "../messages.ts";

export interface Word {
  readonly title: string;
  readonly text: string;
  /** Trying again may help. */
  readonly again?: boolean;
  /** There is something to download. */
  readonly download?: boolean;
}

export function tooLarge(kind: Kind): Word {
  return {
    title: "This file is too large to show here",
    text: `The viewer shows a ${kinds[kind].name} of up to ${megabytes(kinds[kind].bytes)}. Download it and open it on your machine.`,
    download: true,
  };
}

export const unknownKind: Word = {
  title: "The viewer does not know this kind of file",
  text: "It shows text, Markdown, pictures, PDF, Word, Excel and PowerPoint files, sound and film. You can download this one.",
  download: true,
};

export const pageInstead: Word = {
  title: "The device answered with a page instead of this file",
  text: "Its own page may want you to sign in there first. Open the device, then come back.",
  again: true,
};

export const unplayable: Word = {
  title: "This browser cannot play it",
  text: "It does not know how the sound or the pictures in this file are packed. A player on your machine may.",
  download: true,
};

export const tooSlow: Word = {
  title: "Showing this file takes too long",
  text: "The viewer has given up on it. Download it and open it on your machine.",
  download: true,
};

export const unreachable: Word = {
  title: "The file did not come",
  text: "The connection broke off, or the device sent you on to another site. Nothing of it was kept.",
  again: true,
};

export const failed: Readonly<Record<Failure, Word>> = {
  broken: {
    title: "This file cannot be read",
    text: "It is damaged, or it is not what its name says.",
    download: true,
  },
  "too-large": {
    title: "There is more in this file than the viewer opens",
    text: "It unpacks to more than a browser should hold. Download it if you trust where it comes from.",
    download: true,
  },
  locked: {
    title: "This file is locked with a password",
    text: "The viewer does not ask for passwords of documents. Download it and open it on your machine.",
    download: true,
  },
};

/** What an answer without the document means; null where it has one. */
export function wordOfStatus(status: number): Word | null {
  if (status === 200 || status === 206) return null;
  switch (status) {
    case 401:
      return {
        title: "Your visit at this door has ended",
        text: "Try again, and you are asked to sign in.",
        again: true,
      };
    case 403:
      return {
        title: "This file is not open to you",
        text: "The owner of the device can let you in.",
      };
    case 404:
    case 410:
      return {
        title: "There is no such file",
        text: "It may have been moved or deleted on the device.",
      };
    case 503:
      return {
        title: "The device is not connected right now",
        text: "It may be switched off, moving, or without internet.",
        again: true,
      };
    default:
      return status < 500
        ? { title: "The device refused", text: `It answered with status ${status}.`, again: true }
        : {
            title: "The device did not answer",
            text: "It is connected, but what serves this file failed.",
            again: true,
          };
  }
}
