/** The contract on workerd with D1, Durable Objects and R2. */

import { defineContract } from "./suite/index.ts";
import { workerd } from "./workerd.ts";

defineContract(workerd);
