/**
 * `node scripts/dns-fuzz.ts [messages] [seed]`: the DNS of the edge and of the front against generated
 * and mutated messages, a million if not said. Ends with 1 and the message when one is answered wrongly.
 */

import { fuzz } from "../test/support/dns-fuzz.ts";

const [messages = "1000000", seed = String(process.pid)] = process.argv.slice(2);
console.log(`${messages} messages, seed ${seed}`);
const found = await fuzz(Number(messages), Number(seed), (done) => console.log(done));
console.log(found);
