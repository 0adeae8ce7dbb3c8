/**
 * A visitor's end of a tunnel: what carries it (carriers.ts), and TLS 1.3 inside, to the device itself. Nothing is said before the device has shown that it holds the key it is known by.
 */

import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import { limits } from "../../protocol/limits.ts";
import { tunnelAlpn } from "../../protocol/tunnel.ts";
import { AgentFailure, exitCodes, reasonOf } from "../failure.ts";
import { Carriers, type Door } from "./carriers.ts";
import { ed25519KeyOf } from "./certificate.ts";
import { PipeDuplex } from "./duplex.ts";

export interface TunnelTarget extends Door {
  /** The key that the device must show, base64url of 32 bytes. */
  readonly publicKey: string;
}

/**
 * Opens a tunnel. What is returned is a connection to the service, end to end with the device.
 * @throws AgentFailure with a sentence about who refused, and why
 */
export function openTunnel(target: TunnelTarget): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const duplex = new PipeDuplex();
    new Carriers(duplex, target, (sentence) => reject(new AgentFailure(sentence))).open();
    const tls = tlsConnect({
      socket: duplex,
      minVersion: "TLSv1.3",
      ALPNProtocols: [tunnelAlpn(target.service)],
      // The certificate is the device's own: its key is compared below, before a byte goes out.
      rejectUnauthorized: false,
      allowHalfOpen: true,
    } as ConnectionOptions);
    const late = setTimeout(() => {
      reject(new AgentFailure("The device did not answer in time."));
      tls.destroy();
    }, limits.linkHeadMs);
    tls.once("secureConnect", () => {
      clearTimeout(late);
      if (ed25519KeyOf(tls.getPeerX509Certificate()) === target.publicKey) return resolve(tls);
      reject(new AgentFailure(impostor, exitCodes.strangeKey));
      tls.destroy();
    });
    tls.on("error", (error) => reject(new AgentFailure(`The tunnel broke: ${reasonOf(error)}.`)));
    tls.once("close", () => {
      clearTimeout(late);
      reject(new AgentFailure("The tunnel was closed before it was open."));
      duplex.destroy();
    });
  });
}

const impostor =
  "Whoever answered does not hold the key of this device. Nothing was sent. Somebody may be listening " +
  "between you and the box.";
