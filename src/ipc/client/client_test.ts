import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DeadlineError } from "../../base/errors.ts";
import { DaemonClient } from "./client.ts";
import { AnswerError } from "./socket_http.ts";

/** Accepts connections, and says to each what it was told to, and nothing more. */
class MuteSocket implements AsyncDisposable {
  readonly path: string;
  readonly #folder: string;
  readonly #listener: Deno.UnixListener;
  readonly #accepting: Promise<void>;
  readonly #connections: Deno.UnixConn[] = [];

  constructor(says: string) {
    this.#folder = Deno.makeTempDirSync({ prefix: "bolt-mute-" });
    this.path = `${this.#folder}/mute.sock`;
    this.#listener = Deno.listen({ transport: "unix", path: this.path });
    this.#accepting = this.#accept(new TextEncoder().encode(says));
  }

  async #accept(says: Uint8Array): Promise<void> {
    for await (const connection of this.#listener) {
      this.#connections.push(connection);
      if (says.length > 0) await connection.write(says).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    for (const connection of this.#connections) connection.close();
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
