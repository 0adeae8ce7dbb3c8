/** Listening, and what cannot work as a sentence. */

/** A sentence for the person at the terminal; the program ends with it. */
export class Sentence extends Error {}

interface Listener {
  once(event: "listening", handler: () => void): unknown;
  once(event: "error", handler: (error: NodeJS.ErrnoException) => void): unknown;
  on(event: "error", handler: () => void): unknown;
}

/** Waits until it listens. @throws Sentence */
export function listening(
  listener: Listener,
  host: string,
  port: number,
  listen: () => void,
): Promise<void> {
  return new Promise((ready, refuse) => {
    listener.once("listening", () => {
      // A datagram that could not be sent is the network's loss, not ours.
      listener.on("error", () => undefined);
      ready();
    });
    listener.once("error", (error) => refuse(new Sentence(whyNot(error, host, port))));
    listen();
  });
}

function whyNot(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `Port ${port} on ${host} is taken. Choose another: npm run dns -- --port ${port + 1}`;
    case "EACCES":
      return `Port ${port} needs more rights than you have. Choose another: npm run dns -- --port 5353`;
    default:
      return `${host}:${port} cannot be listened on (${error.code ?? error.message}).`;
  }
}
