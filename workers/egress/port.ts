/**
 * Tries one port of one address: opens a connection, asks who is there, and closes it. Part of the
 * egress gate: nobody else may call it. It takes an address, never a name, and a port of the list; that
 * the address is the asker's own is decided before (workers/devices/reachability.ts).
 */

import { connect } from "node:net";
import { isPublicAddress, parseAddress } from "../../protocol/addresses.ts";
import { limits } from "../../protocol/limits.ts";
import { herePath, isCheckedPort, isHereNonce } from "../../protocol/reach.ts";
import type { PortAnswer } from "../ports.ts";

type Fields = Readonly<Record<string, string>>;

/** @param allowTrial lets documentation and loopback addresses be tried */
export function portTransport(allowTrial: boolean): (fields: Fields) => Promise<PortAnswer> {
  return async ({ address: text = "", port: named = "", nonce = "" }) => {
    const [address, port] = [parseAddress(text), Number(named)];
    const isFine = String(port) === named && isCheckedPort(port) && isHereNonce(nonce);
    if (address === null || !isFine || !isPublicAddress(address, allowTrial)) {
      throw new Error("not a port to try");
    }
    const host = address.family === "ipv6" ? `[${address.text}]` : address.text;
    const question =
      `GET ${herePath}?nonce=${nonce}&check HTTP/1.1\r\n` +
      `Host: ${host}:${port}\r\nConnection: close\r\nUser-Agent: latchkey-reachability\r\n\r\n`;
    return await tryPort(address.text, port, question);
  };
}

/** Silence is `filtered`; any refusal on the way is `closed`. Resolves always, within two limits. */
function tryPort(host: string, port: number, question: string): Promise<PortAnswer> {
  return new Promise((resolve) => {
    let text = "";
    let isOpen = false;
    const socket = connect({ host, port });
    const late = () => end(isOpen ? "open" : "filtered");
    let timer = setTimeout(late, limits.probeConnectMs);
    const end = (outcome: PortAnswer["outcome"]) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ outcome, text });
    };
    socket.setEncoding("latin1");
    socket.once("connect", () => {
      isOpen = true;
      clearTimeout(timer);
      timer = setTimeout(late, limits.probeAnswerMs);
      socket.write(question);
    });
    socket.on("data", (chunk) => {
      text = (text + String(chunk)).slice(0, limits.probeAnswerBytes);
      if (text.length === limits.probeAnswerBytes) end("open");
    });
    socket.once("end", () => end("open"));
    socket.on("error", () => end(isOpen ? "open" : "closed"));
    socket.once("close", () => end(isOpen ? "open" : "closed"));
  });
}
