/** What the agent and the edge say to each other outside the relay's frames. */

/** The WebSocket subprotocol (RFC 6455 §1.9) that an agent must offer. */
export const agentSubprotocol = "latchkey.link.v1";
export const agentSocketPath = "/api/agent/socket";

/** Text messages that the platform answers without waking the object. */
export const pingText = "ping";
export const pongText = "pong";

/** Text messages from the edge to the agent; everything else on the socket is binary frames. */
export type EdgeNotice =
  /** Which features are on: the agent serves a feature only while it is. */
  | { readonly type: "features"; readonly name: boolean; readonly link: boolean }
  /** The device is gone for good; do not reconnect. */
  | { readonly type: "unregistered" };

/** Close codes (RFC 6455 §7.4.2, 4000–4999 are the application's). */
export const closeCodes = {
  replaced: 4001, // a newer connection of the same device took over
  unregistered: 4002, // do not reconnect
  protocolError: 4003,
} as const;

/** RFC 8628 §3.2 device authorization response. */
export interface EnrolmentStart {
  readonly device_code: string;
  readonly user_code: string;
  readonly verification_uri: string;
  readonly verification_uri_complete: string;
  readonly expires_in: number;
  readonly interval: number;
}

/** What the agent learns once its owner approved it. */
export interface EnrolmentDone {
  readonly device_id: string;
  readonly label: string;
  /** `https://<label>.<link zone>` */
  readonly link: string;
  /** `<label>.<DDNS zone>` */
  readonly host: string;
}
