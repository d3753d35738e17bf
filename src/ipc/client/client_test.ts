import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DeadlineError } from "../../base/errors.ts";
import { DaemonClient } from "./client.ts";
import { AnswerError } from "./socket_http.ts";

/**
 * Accepts connections, and says to each what it was told to; then nothing more, or for ever the same
 * again and again.
 */
class MuteSocket implements AsyncDisposable {
  readonly path: string;
  readonly #folder: string;
  readonly #listener: Deno.UnixListener;
  readonly #accepting: Promise<void>;
  readonly #connections: Deno.UnixConn[] = [];
  readonly #dripping: Promise<void>[] = [];

  constructor(says: string, drips = "") {
    this.#folder = Deno.makeTempDirSync({ prefix: "bolt-mute-" });
    this.path = `${this.#folder}/mute.sock`;
    this.#listener = Deno.listen({ transport: "unix", path: this.path });
    const encoder = new TextEncoder();
    this.#accepting = this.#accept(encoder.encode(says), encoder.encode(drips));
  }

  /** Connections so far. */
  get connections(): number {
    return this.#connections.length;
  }

  async #accept(says: Uint8Array, drips: Uint8Array): Promise<void> {
    for await (const connection of this.#listener) {
      this.#connections.push(connection);
      if (says.length > 0) await connection.write(says).catch(() => {});
      if (drips.length > 0) this.#dripping.push(this.#drip(connection, drips));
    }
  }

  async #drip(connection: Deno.UnixConn, drips: Uint8Array): Promise<void> {
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
    for (const connection of this.#connections) connection.close();
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
  Deno.test(`a socket that accepts and ${how} ends every call with a sentence that names it`, async () => {
    await using mute = new MuteSocket(says);
    const client = new DaemonClient(mute.path, { timeoutMs: 100, silenceMs: 100 });
    const calls = [
      () => client.status(),
      () => client.shutdown(),
      () => client.metrics(),
      () => client.events().next(),
      () => client.events({ lastEventId: "e-1" }).next(),
    ];
    for (const call of calls) {
      const error = await assertRejects(call, DeadlineError);
      assertStringIncludes(error.message, `No answer at ${mute.path} within 0.1 s: what listens`);
    }
  });
}

Deno.test("an answer to the request for events that is no event stream is refused at once", async () => {
  for (const type of ["text/html", "application/json"]) {
    const head = `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: 2\r\n\r\n`;
    await using foreign = new MuteSocket(`${head}{}`);
    await assertRejects(() => new DaemonClient(foreign.path).events().next(), AnswerError);
  }
});

Deno.test("the caller's own deadline keeps its words at a mute socket", async () => {
  await using mute = new MuteSocket("");
  const client = new DaemonClient(mute.path);
  const ours = new DeadlineError("enough");
  const late = AbortSignal.abort(ours);
  assertEquals(await assertRejects(() => client.status(late)), ours);
  assertEquals(await assertRejects(() => client.events({ signal: late }).next()), ours);
});

const STREAM = "HTTP/1.1 200 -\r\ncontent-type: application/x-ndjson\r\n\r\n";

Deno.test("bytes that never become a line are silence, however many come", async () => {
  await using dripping = new MuteSocket(STREAM, " ");
  const client = new DaemonClient(dripping.path, { silenceMs: 100, reconnectMs: Infinity });
  const error = await assertRejects(() => client.events().next(), DeadlineError);
  assertStringIncludes(error.message, `No answer at ${dripping.path} within 0.1 s`);
  assertEquals(dripping.connections, 1);
});

Deno.test("what greets and then says no whole line is tried once more, and given up", async () => {
  await using dripping = new MuteSocket(`${STREAM}\n`, " ");
  const client = new DaemonClient(dripping.path, { silenceMs: 100, reconnectMs: Infinity });
  await assertRejects(() => client.events().next(), DeadlineError);
  assertEquals(dripping.connections, 2);
});

Deno.test("empty lines are a daemon's heartbeats: what sends them is alive, until the caller's deadline", async () => {
  await using alive = new MuteSocket(STREAM, "\n");
  const client = new DaemonClient(alive.path, { silenceMs: 400 });
  const enough = new DeadlineError("enough");
  const deadline = new AbortController();
  const next = client.events({ signal: deadline.signal }).next();
  // Several times as long as silence may last.
  setTimeout(() => deadline.abort(enough), 1600);
  assertEquals(await assertRejects(() => next), enough);
  assertEquals(alive.connections, 1);
});

Deno.test("what greets and closes at once is tried again ever more slowly", async () => {
  await using folder = {
    path: await Deno.makeTempDir(),
    async [Symbol.asyncDispose]() {
      await Deno.remove(this.path, { recursive: true });
    },
  };
  const path = `${folder.path}/closing.sock`;
  const listener = Deno.listen({ transport: "unix", path });
  const at: number[] = [];
  const enough = new AbortController();
  const accepting = (async () => {
    for await (const connection of listener) {
      at.push(performance.now());
      await connection.write(new TextEncoder().encode(`${STREAM}\n`));
      connection.close();
      if (at.length === 4) enough.abort(new DeadlineError("enough"));
    }
  })();
  const client = new DaemonClient(path, { reconnectMs: Infinity });
  await assertRejects(() => client.events({ signal: enough.signal }).next(), DeadlineError);
  listener.close();
  await accepting;
  const [first = 0, second = 0, , fourth = 0] = at;
  assertEquals(at.length, 4);
  assert(second - first >= 99 && fourth - first >= 699, String(at));
});
