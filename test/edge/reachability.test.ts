/** Whether a port is open from outside: tried at the asker's own address, and nowhere else. */

import { env } from "cloudflare:workers";
import fc from "fast-check";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { signAssertion } from "../../protocol/assertion.ts";
import { limits } from "../../protocol/limits.ts";
import { checkedPorts, checkSpot, signHere } from "../../protocol/reach.ts";
import { handle } from "../../workers/app.ts";
import { setFeature } from "../../workers/devices/devices.ts";
import type { Ports } from "../../workers/ports.ts";
import { newPerson } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { connect, type Enrolled, enroll, type Heard, newKey } from "./devices-support.ts";

const HOME = "198.51.100.7";
let test: TestPorts;
let count = 0;
let owner: { token: string; accountId: string };
let enrolled: Enrolled;
let agent: Heard;

beforeEach(async () => {
  await livingAt(HOME);
});

/** A device whose socket comes from `peer`, and its owner in a browser there. */
async function livingAt(peer: string): Promise<void> {
  test = testPorts({ env, peer });
  owner = await newPerson(test, `owner${count++}@reach.example`);
  enrolled = await enroll(test.ports, owner.accountId);
  await setFeature(test.ports, owner.accountId, enrolled.device.id, "link", true);
  agent = await connect(test.ports, enrolled);
  await test.settle();
  test.egress.length = 0;
}

async function post(path: string, body: unknown, more: Partial<Ports> = {}, token = owner.token) {
  const { origin } = test.ports.config;
  const request = new Request(origin + path, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const response = await handle(request, { ...test.ports, ...more });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}
const ask = (body: unknown, more: Partial<Ports> = {}) =>
  post(`/api/devices/${enrolled.device.id}/reachability`, body, more);
const askAsDevice = async (more: Partial<Ports> = {}, key = enrolled.key, listens = true) => {
  const { config } = test.ports;
  const id = enrolled.device.id;
  const now = test.ports.clock.now();
  const client_assertion = await signAssertion(key.privateKey, id, config.origin, now);
  return await post("/api/agent/reachability", { client_assertion, port: 443, listens }, more, "x");
};
const addresses = () => test.egress.map(({ fields }) => fields.address);

describe("where it is tried", () => {
  it("at the address that the question came from, which is the device's, and with a port of the list", async () => {
    expect(await ask({ port: 443 })).toEqual({ status: 200, json: { result: "filtered" } });
    expect(test.egress).toEqual([
      {
        recipient: "asker's own port",
        fields: { address: HOME, port: "443", nonce: expect.stringMatching(/^[\w-]{43}$/) },
      },
    ]);
    expect((await askAsDevice()).status).toBe(200);
    expect(addresses()).toEqual([HOME, HOME]);
  });

  it("at an IPv6 address too", async () => {
    await livingAt("2001:db8::7");
    expect((await ask({ port: 443 })).status).toBe(200);
    expect(addresses()).toEqual(["2001:db8::7"]);
    // A neighbor in the same /64 is another machine.
    const neighbor = await ask({ port: 443 }, { peer: "2001:db8::8" });
    expect([neighbor.status, neighbor.json.code]).toEqual([409, "asker-elsewhere"]);
  });

  it("nowhere for who asks from elsewhere, from no address or from inside a network", async () => {
    for (const peer of ["203.0.113.9", "", null, "192.168.1.1", "10.0.0.1", "evil.example"]) {
      for (const answer of [await ask({ port: 443 }, { peer }), await askAsDevice({ peer })]) {
        expect([answer.status, answer.json.code], String(peer)).toEqual([409, "asker-elsewhere"]);
      }
    }
    expect(test.egress).toEqual([]);
  });

  it("nowhere at a private address, though both come from it", async () => {
    await livingAt("192.168.1.20");
    expect((await ask({ port: 443 })).json.code).toBe("asker-elsewhere");
    expect(test.egress).toEqual([]);
  });

  it("nowhere while the device is away, or for who is neither its owner nor it", async () => {
    const stranger = await newPerson(test, `stranger${count}@reach.example`);
    test.egress.length = 0;
    const path = `/api/devices/${enrolled.device.id}/reachability`;
    expect((await post(path, { port: 443 }, {}, stranger.token)).status).toBe(404);
    expect((await askAsDevice({}, await newKey())).status).toBe(401);
    agent.socket.close(1000, "gone");
    await agent.closed;
    await vi.waitFor(async () =>
      expect((await ask({ port: 443 })).json.code).toBe("device-offline"),
    );
    expect((await askAsDevice()).json.code).toBe("device-offline");
    expect(test.egress).toEqual([]);
  });

  it("is at no other address, whatever is sent", async () => {
    const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant(HOME), fc.string());
    const port = fc.oneof(fc.constantFrom(...Object.keys(checkedPorts).map(Number)), fc.integer());
    const body = fc.oneof(
      fc.record({ port }),
      fc.record({ port, address, host: address, peer: address }),
      fc.record({ port: fc.oneof(address, fc.double()) }),
      fc.jsonValue(),
    );
    const take = async () => true;
    await fc.assert(
      fc.asyncProperty(body, address, async (sent, peer) => {
        await ask(sent, { peer, limits: { take } });
        for (const { recipient, fields } of test.egress.splice(0)) {
          expect(recipient).toBe("asker's own port");
          expect(fields.address).toBe(peer);
          expect(fields.address).toBe(HOME);
          expect(Object.keys(checkedPorts)).toContain(fields.port);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe("what it says", () => {
  const http = (body: string) => `HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${body}`;
  const answering = (outcome: "open" | "closed" | "filtered", text = "") => {
    test.port.answer = async () => ({ outcome, text });
  };

  it("closed and filtered, as the port does", async () => {
    for (const outcome of ["closed", "filtered"] as const) {
      answering(outcome);
      expect((await ask({ port: 80 })).json.result).toBe(outcome);
    }
  });

  it("this device, when what answers signs the question with its key", async () => {
    test.port.answer = async ({ nonce = "" }) => {
      const signature = await signHere(enrolled.key.privateKey, nonce, checkSpot);
      return { outcome: "open", text: http(JSON.stringify({ signature })) };
    };
    expect((await ask({ port: 80 })).json.result).toBe("this-device");
    expect((await askAsDevice()).json.result).toBe("this-device");
  });

  it("another device, when something else answers where the box listens itself", async () => {
    const liar = await newKey();
    test.port.answer = async ({ nonce = "" }) => {
      const signature = await signHere(liar.privateKey, nonce, checkSpot);
      return { outcome: "open", text: http(JSON.stringify({ signature })) };
    };
    expect((await askAsDevice()).json.result).toBe("other-device");
    // Where a web server of the box may stand, nothing is said of it.
    expect((await askAsDevice({}, enrolled.key, false)).json.result).toBe("open");
    expect((await ask({ port: 80 })).json.result).toBe("open");
    answering("open", "SSH-2.0-OpenSSH_9.2");
    expect((await ask({ port: 22 })).json.result).toBe("open");
  });

  it("believes no answer to another question", async () => {
    const old = await signHere(enrolled.key.privateKey, "A".repeat(43), checkSpot);
    answering("open", http(JSON.stringify({ signature: old })));
    expect((await ask({ port: 80 })).json.result).toBe("open");
  });
});

it("is counted for each account, and for each network whoever asks there", async () => {
  for (let time = 0; time < limits.probePerAccount; time++) {
    expect((await ask({ port: 443 })).status).toBe(200);
  }
  expect((await ask({ port: 443 })).json.code).toBe("too-many-tries");
  expect((await askAsDevice()).json.code).toBe("too-many-tries");
  expect(test.egress).toHaveLength(limits.probePerAccount);
});

it("refuses ports that are not on the list, and fields that nobody asked for", async () => {
  for (const body of [{ port: 25 }, { port: 0 }, { port: "443" }, { port: 443, address: HOME }]) {
    expect((await ask(body)).status, JSON.stringify(body)).toBe(400);
  }
  expect(test.egress).toEqual([]);
});

it("is said on the device's page, beside the form", async () => {
  const form = async (port: string, peer: string | null = HOME) => {
    const { origin } = test.ports.config;
    const request = new Request(`${origin}/devices/${enrolled.device.id}/reachability`, {
      method: "POST",
      headers: {
        cookie: `__Host-sid=${owner.token}`,
        origin,
        accept: "text/html",
        "content-type": "application/x-www-form-urlencoded",
      },
      body: new URLSearchParams({ port }),
    });
    const response = await handle(request, { ...test.ports, peer });
    return { status: response.status, text: await response.text() };
  };
  expect((await form("443")).text).toContain("Port 443 gives no answer.");
  const elsewhere = await form("443", "203.0.113.9");
  expect(elsewhere.status).toBe(409);
  expect(elsewhere.text).toContain('id="port-error"');
  expect((await form("25")).status).toBe(400);
});
