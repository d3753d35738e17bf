/**
 * Child processes that are told commands in lines of JSON.
 *
 * @module
 */
import type { Command, Measurement, Reply } from "./commands.ts";
import type { Bundle } from "./endpoint.ts";

/** How a child, or a browser's page, is spoken to. */
export interface Wire extends AsyncDisposable {
  readonly replies: AsyncIterable<Reply>;
  tell(command: Command): Promise<void>;
}

/** A peer that is told what to do, wherever it runs. */
export class RemotePeer implements AsyncDisposable {
  readonly #wire: Wire;
  readonly #opened = Promise.withResolvers<void>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #waiting: PromiseWithResolvers<Bundle | Measurement>[] = [];
  readonly #reading: Promise<void>;

  /** @param wire Owned from now on. */
  constructor(wire: Wire) {
    this.#wire = wire;
    this.#opened.promise.catch(() => {});
    this.#ready.promise.catch(() => {});
    this.#reading = this.#read();
  }

  /** Resolves when the peer can be told something. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Resolves when its channel is open. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Has it make an offer. */
  async offer(): Promise<Bundle> {
    return await this.#ask({ do: "offer" }) as Bundle;
  }

  /** Has it make an answer. */
  async answer(bundle: Bundle): Promise<Bundle> {
    return await this.#ask({ do: "answer", bundle }) as Bundle;
  }

  /** Has it take the answer to its offer. */
  accept(bundle: Bundle): Promise<void> {
    return this.#wire.tell({ do: "accept", bundle });
  }

  /** Has it do something with the open channel. */
  async measure(
    command: Exclude<Command, { do: "offer" | "answer" | "accept" | "close" }>,
  ): Promise<Measurement> {
    return await this.#ask(command) as Measurement;
  }

  /** Has it close its channel. */
  close(): Promise<void> {
    return this.#wire.tell({ do: "close" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#wire[Symbol.asyncDispose]();
    await this.#reading;
  }

  async #ask(command: Command): Promise<Bundle | Measurement> {
    await this.ready;
    const reply = Promise.withResolvers<Bundle | Measurement>();
    this.#waiting.push(reply);
    await this.#wire.tell(command);
    return await reply.promise;
  }

  async #read(): Promise<void> {
    let end = new Error("the peer's process has ended");
    try {
      for await (const reply of this.#wire.replies) {
        if ("ready" in reply) this.#ready.resolve();
        else if ("open" in reply) this.#opened.resolve();
        else if ("bundle" in reply) this.#waiting.shift()?.resolve(reply.bundle);
        else if ("result" in reply) this.#waiting.shift()?.resolve(reply.result);
        else this.#fail(new Error(`the peer failed: ${reply.error}`));
      }
    } catch (error) {
      if (error instanceof Error) end = error;
    }
    this.#fail(end);
    this.#ready.reject(end);
  }

  #fail(error: Error): void {
    this.#opened.reject(error);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }
}

/** Starts a process that speaks lines of JSON on its standard input and output. */
export function spawnPeer(command: string, args: readonly string[]): RemotePeer {
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = child.stdin.getWriter();
  const encoder = new TextEncoder();
  return new RemotePeer({
    replies: jsonLines<Reply>(child.stdout),
    tell: async (command) => {
      // A child that is gone shows as the end of its replies.
      await input.write(encoder.encode(JSON.stringify(command) + "\n")).catch(() => {});
    },
    [Symbol.asyncDispose]: async () => {
      try {
        child.kill("SIGKILL");
      } catch {
        // It had ended.
      }
      await child.status;
      await input.close().catch(() => {});
    },
  });
}

/** A stream of bytes as one value of JSON a line. */
export async function* jsonLines<T extends Reply | Command>(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<T> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line);
  }
}
