/** What the console does in the browser beyond its pages. Every page works without any of it. */

import { copyButtons } from "./copy.ts";
import { focusAlert } from "./focus.ts";
import { labelCheck } from "./label.ts";
import { live } from "./live.ts";
import { palette } from "./palette.ts";
import { passkeys } from "./passkey.ts";
import { smallPhotos } from "./photo.ts";
import { smartLink } from "./smart.ts";
import { relativeTimes } from "./time.ts";

focusAlert();
copyButtons();
labelCheck();
live();
palette();
passkeys();
relativeTimes();
smallPhotos();
smartLink();
