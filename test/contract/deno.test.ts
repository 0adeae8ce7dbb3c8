/** The contract on Deno with libSQL, as `deno task serve` runs it. */

import { deno } from "./deno-process.ts";
import { defineContract } from "./suite/index.ts";

defineContract(deno);
