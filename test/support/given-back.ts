/** Lets 64 MiB pass in one turn, as reads do, and prints the most that V8 counted of them at a time. */

import { notePassed } from "../../agent/heap.ts";

const READ_BYTES = 64 * 1024;
const READS = 1024;

const before = process.memoryUsage().external;
let most = 0;
for (let read = 0; read < READS; read++) {
  void new Uint8Array(READ_BYTES);
  notePassed(READ_BYTES);
  most = Math.max(most, process.memoryUsage().external - before);
}
console.log(most);
