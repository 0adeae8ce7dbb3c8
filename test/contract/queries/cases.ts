/**
 * What every query promises, on whichever database runs it. Each case makes its own rows and looks
 * at no others, so cases may share a database. `node:assert` only: the cases run inside workerd and
 * under Deno, where no test framework is at hand.
 */

import type { Directory } from "../../../db/directory.ts";
import type { Run } from "../../../db/migrate.ts";
import type { Names } from "../../../db/names.ts";
import type { Db, KeyStore } from "../../../workers/ports.ts";
import { accountCases } from "./account-cases.ts";
import { certificateCases } from "./certificate-cases.ts";
import { deviceCases } from "./device-cases.ts";
import { directoryCases } from "./directory-cases.ts";
import { dormancyCases } from "./dormancy-cases.ts";
import { exportCases } from "./export-cases.ts";
import { keyCases } from "./key-cases.ts";
import { linkedCases } from "./linked-cases.ts";
import { nameCases } from "./name-cases.ts";
import { openidCases } from "./openid-cases.ts";
import { openidDeviceCases } from "./openid-device-cases.ts";
import { overviewCases } from "./overview-cases.ts";
import { passkeyCases } from "./passkey-cases.ts";
import { peopleCases } from "./people-cases.ts";
import { recoveryCases } from "./recovery-cases.ts";
import { reportCases } from "./report-cases.ts";
import { retentionCases } from "./retention-cases.ts";
import { schemaCases } from "./schema-cases.ts";
import { signInCases } from "./sign-in-cases.ts";
import { tokenCases } from "./token-cases.ts";
import { zoneCases } from "./zone-cases.ts";

export interface Stores {
  readonly region: Db;
  readonly names: Names;
  readonly directory: Directory;
  readonly keys: KeyStore;
  /** Runs one statement on the region's database, past drizzle. */
  readonly run: Run;
  /** The directory's clock, in the case's hand. */
  readonly clock: { time: number };
}

export type Case = (stores: Stores) => Promise<void>;
export type Cases = Readonly<Record<string, Case>>;

export const cases: Cases = {
  ...schemaCases,
  ...directoryCases,
  ...accountCases,
  ...overviewCases,
  ...recoveryCases,
  ...signInCases,
  ...deviceCases,
  ...certificateCases,
  ...nameCases,
  ...openidCases,
  ...zoneCases,
  ...linkedCases,
  ...openidDeviceCases,
  ...passkeyCases,
  ...tokenCases,
  ...peopleCases,
  ...reportCases,
  ...retentionCases,
  ...exportCases,
  ...dormancyCases,
  ...keyCases,
};
