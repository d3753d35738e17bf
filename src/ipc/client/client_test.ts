import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DeadlineError } from "../../base/errors.ts";
import { DaemonClient } from "./client.ts";
import { type ApiAddress, LOOPBACK, urlOf } from "../api/address.ts";
import { testOverBoth, type Transport } from "../testing/served_fake.ts";
import { AnswerError } from "./api_http.ts";

/**
 * Accepts connections, and says to each what it was told to; then nothing more, or for ever the same
 * again and again.
 */
class MuteServer implements AsyncDisposable {
  readonly address: ApiAddress;
  readonly #folder: string;
  readonly #listener: Deno.Listener;
  readonly #accepting: Promise<void>;
  readonly #connections: Deno.Conn[] = [];
  readonly #dripping: Promise<void>[] = [];

  constructor(
    transport: Transport,
    says: string,
    drips = "",
    onGreeted: (connection: Deno.Conn) => void = () => {},
  ) {
    this.#folder = Deno.makeTempDirSync({ prefix: "bolt-mute-" });
    if (transport === "unix") {
      const path = `${this.#folder}/mute.sock`;
      this.#listener = Deno.listen({ transport: "unix", path });
      this.address = { kind: "unix", path };
    } else {
      const listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
      this.#listener = listener;
      this.address = { kind: "tcp", port: listener.addr.port, token: "00".repeat(32) };
    }
    const encoder = new TextEncoder();
    this.#accepting = this.#accept(encoder.encode(says), encoder.encode(drips), onGreeted);
  }

  /** What the client's messages call it. */
  get name(): string {
    return this.address.kind === "unix" ? this.address.path : urlOf(this.address);
  }

  /** Connections so far. */
  get connections(): number {
    return this.#connections.length;
  }

  async #accept(
    says: Uint8Array,
    drips: Uint8Array,
    onGreeted: (connection: Deno.Conn) => void,
  ): Promise<void> {
    for await (const connection of this.#listener) {
      this.#connections.push(connection);
      if (says.length > 0) await connection.write(says).catch(() => {});
      onGreeted(connection);
      if (drips.length > 0) this.#dripping.push(this.#drip(connection, drips));
    }
  }

  async #drip(connection: Deno.Conn, drips: Uint8Array): Promise<void> {
    try {
      for (;;) {
        await connection.write(drips);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    } catch {
      // The client has gone, or the test has ended.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    for (const connection of this.#connections) {
      try {
        connection.close();
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error; // closed by the test
      }
    }
    await Promise.all(this.#dripping);
    await Deno.remove(this.#folder, { recursive: true });
  }
}

const WAYS_TO_BE_MUTE = {
  "says nothing": "",
  "stops within a problem":
    "HTTP/1.1 503 -\r\ncontent-type: application/problem+json\r\ncontent-length: 9\r\n\r\n{",
  "stops after the headers": "HTTP/1.1 200 -\r\ncontent-type: application/x-ndjson\r\n\r\n",
};

for (const [how, says] of Object.entries(WAYS_TO_BE_MUTE)) {
  testOverBoth(
    `a socket that accepts and ${how} ends every call with a sentence that names it`,
    async (_start, transport) => {
      await using mute = new MuteServer(transport, says);
      const client = new DaemonClient(mute.address, { timeoutMs: 100, silenceMs: 100 });
      const calls = [
        () => client.status(),
        () => client.shutdown(),
        () => client.metrics(),
        () => client.events().next(),
        () => client.events({ lastEventId: "e-1" }).next(),
      ];
      for (const call of calls) {
        const error = await assertRejects(call, DeadlineError);
        assertStringIncludes(error.message, `No answer at ${mute.name} within 0.1 s: what listens`);
      }
    },
  );
}

testOverBoth(
  "an answer to the request for events that is no event stream is refused at once",
  async (_start, transport) => {
    for (const type of ["text/html", "application/json"]) {
      const head = `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: 2\r\n\r\n`;
      await using foreign = new MuteServer(transport, `${head}{}`);
      await assertRejects(() => new DaemonClient(foreign.address).events().next(), AnswerError);
    }
  },
);

testOverBoth(
  "the caller's own deadline keeps its words at a mute socket",
  async (_start, transport) => {
    await using mute = new MuteServer(transport, "");
    const client = new DaemonClient(mute.address);
    const ours = new DeadlineError("enough");
    const late = AbortSignal.abort(ours);
    assertEquals(await assertRejects(() => client.status(late)), ours);
    assertEquals(await assertRejects(() => client.events({ signal: late }).next()), ours);
  },
);

const STREAM = "HTTP/1.1 200 -\r\ncontent-type: application/x-ndjson\r\n\r\n";

testOverBoth(
  "bytes that never become a line are silence, however many come",
  async (_start, transport) => {
    await using dripping = new MuteServer(transport, STREAM, " ");
    const client = new DaemonClient(dripping.address, { silenceMs: 100, reconnectMs: Infinity });
    const error = await assertRejects(() => client.events().next(), DeadlineError);
    assertStringIncludes(error.message, `No answer at ${dripping.name} within 0.1 s`);
    assertEquals(dripping.connections, 1);
  },
);

testOverBoth(
  "what greets and then says no whole line is tried once more, and given up",
  async (_start, transport) => {
    await using dripping = new MuteServer(transport, `${STREAM}\n`, " ");
    const client = new DaemonClient(dripping.address, { silenceMs: 100, reconnectMs: Infinity });
    await assertRejects(() => client.events().next(), DeadlineError);
    assertEquals(dripping.connections, 2);
  },
);

testOverBoth(
  "empty lines are a daemon's heartbeats: what sends them is alive, until the caller's deadline",
  async (_start, transport) => {
    await using alive = new MuteServer(transport, STREAM, "\n");
    const client = new DaemonClient(alive.address, { silenceMs: 400 });
    const enough = new DeadlineError("enough");
    const deadline = new AbortController();
    const next = client.events({ signal: deadline.signal }).next();
    // Several times as long as silence may last.
    setTimeout(() => deadline.abort(enough), 1600);
    assertEquals(await assertRejects(() => next), enough);
    assertEquals(alive.connections, 1);
  },
);

testOverBoth(
  "what greets and closes at once is tried again ever more slowly",
  async (_start, transport) => {
    const at: number[] = [];
    const enough = new AbortController();
    await using closing = new MuteServer(transport, `${STREAM}\n`, "", (connection) => {
      at.push(performance.now());
      connection.close();
      if (at.length === 4) enough.abort(new DeadlineError("enough"));
    });
    const client = new DaemonClient(closing.address, { reconnectMs: Infinity });
    await assertRejects(() => client.events({ signal: enough.signal }).next(), DeadlineError);
    const [first = 0, second = 0, , fourth = 0] = at;
    assertEquals(at.length, 4);
    assert(second - first >= 99 && fourth - first >= 699, String(at));
  },
);
