/**
 * Events over HTTP: server-sent events (WHATWG HTML, section 9.2) or one JSON object a line.
 *
 * @module
 */
import type { ServerResponse } from "node:http";
import type { Cursor, EventHub, StoredEvent } from "./event_hub.ts";
import { RequestError } from "../api/problem.ts";

/** How events are spelled on a stream. */
export type StreamFormat = "sse" | "ndjson";

interface Spelling {
  readonly contentType: string;
  /** Sent first, so that a client sees at once that it is connected. */
  readonly greeting: string;
  /** Means nothing; shows that the stream is alive. */
  readonly heartbeat: string;
  spell(event: StoredEvent): string;
}

const SPELLINGS: { readonly [format in StreamFormat]: Spelling } = {
  sse: {
    contentType: "text/event-stream",
    greeting: "retry: 1000\n\n",
    heartbeat: ": alive\n\n",
    spell: ({ id, type, json }) => `id: ${id}\nevent: ${type}\ndata: ${json}\n\n`,
  },
  ndjson: {
    contentType: "application/x-ndjson",
    greeting: "\n",
    heartbeat: "\n",
    spell: ({ json }) => `${json}\n`,
  },
};

/** The format that an `Accept` header asks for. @throws {RequestError} NOT_ACCEPTABLE */
export function formatFor(accept: string | undefined): StreamFormat {
  const types = (accept ?? "*/*").split(",").map((part) =>
    part.split(";")[0]?.trim().toLowerCase()
  );
  if (types.includes("application/x-ndjson")) return "ndjson";
  if (types.some((type) => ["text/event-stream", "text/*", "*/*", ""].includes(type ?? ""))) {
    return "sse";
  }
  throw new RequestError(
    "NOT_ACCEPTABLE",
    "Events come as text/event-stream or application/x-ndjson; ask for one of these in Accept",
  );
}

/** Options of {@linkcode EventStreams}. */
export interface EventStreamsOptions {
  /** Most streams at once. */
  readonly limit: number;
  /** Milliseconds between heartbeats; a reader that took nothing for two of them is dropped. */
  readonly heartbeatMs: number;
  /** Called when a reader was dropped for its slowness. */
  readonly onDropped: () => void;
}

/** The open event streams: one timer for the heartbeats of all, while there are any. */
export class EventStreams {
  readonly #hub: EventHub;
  readonly #options: EventStreamsOptions;
  readonly #streams = new Set<EventStream>();
  #heartbeat: ReturnType<typeof setInterval> | undefined;

  /**
   * No streams yet.
   *
   * @param hub Where the events come from.
   */
  constructor(hub: EventHub, options: EventStreamsOptions) {
    this.#hub = hub;
    this.#options = options;
  }

  /** Streams at present. */
  get size(): number {
    return this.#streams.size;
  }

  /**
   * Answers with the events after `lastEventId`; without one, with those from now on. A HEAD request
   * is answered with the headers of that stream, and opens none.
   *
   * @throws {RequestError} TOO_MANY_STREAMS
   */
  open(response: ServerResponse, format: StreamFormat, lastEventId: string | undefined): void {
    if (this.#streams.size >= this.#options.limit) {
      throw new RequestError(
        "TOO_MANY_STREAMS",
        `${this.#options.limit} event streams are open; close one first`,
      );
    }
    const stream = new EventStream(this.#hub, response, SPELLINGS[format], {
      cursor: this.#hub.cursorOf(lastEventId),
      onDropped: this.#options.onDropped,
    });
    if (response.req.method === "HEAD") {
      stream.writeHead();
      response.end();
      return;
    }
    this.#streams.add(stream);
    this.#heartbeat ??= setInterval(() => {
      for (const open of this.#streams) open.beat();
    }, this.#options.heartbeatMs);
    response.once("close", () => {
      stream.stop();
      this.#streams.delete(stream);
      if (this.#streams.size === 0) {
        clearInterval(this.#heartbeat);
        this.#heartbeat = undefined;
      }
    });
    stream.start();
  }
}

/** One reader: a position in the hub's ring, and whether its socket takes more. */
class EventStream {
  readonly #hub: EventHub;
  readonly #response: ServerResponse;
  readonly #spelling: Spelling;
  readonly #onDropped: () => void;
  #cursor: Cursor;
  #full = false;
  #beatsWhileFull = 0;
  #pumping = false;
  #unsubscribe: (() => void) | undefined;

  constructor(
    hub: EventHub,
    response: ServerResponse,
    spelling: Spelling,
    options: { readonly cursor: Cursor; readonly onDropped: () => void },
  ) {
    this.#hub = hub;
    this.#response = response;
    this.#spelling = spelling;
    this.#cursor = options.cursor;
    this.#onDropped = options.onDropped;
  }

  start(): void {
    this.writeHead();
    this.#response.on("drain", () => {
      this.#full = false;
      this.#beatsWhileFull = 0;
      this.#pump();
    });
    this.#unsubscribe = this.#hub.subscribe(() => this.#wake());
    this.#write(this.#spelling.greeting);
    this.#pump();
  }

  writeHead(): void {
    this.#response.writeHead(200, {
      "content-type": this.#spelling.contentType,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "connection": "close",
      // Where the stream begins, for a reader that loses it before the first event.
      "last-event-id": this.#hub.idOf(this.#cursor),
    });
  }

  stop(): void {
    this.#unsubscribe?.();
  }

  beat(): void {
    if (!this.#full) this.#write(this.#spelling.heartbeat);
    else if (++this.#beatsWhileFull >= 2) this.#drop();
  }

  /** Several events published in one turn are written together. */
  #wake(): void {
    if (this.#full) {
      // What this reader has not taken is gone from the ring: it can't be served any more.
      if (this.#hub.hasLost(this.#cursor)) this.#drop();
    } else if (!this.#pumping) {
      this.#pumping = true;
      queueMicrotask(() => {
        this.#pumping = false;
        this.#pump();
      });
    }
  }

  #pump(): void {
    while (!this.#full && !this.#response.destroyed) {
      const event = this.#hub.nextAfter(this.#cursor);
      if (event === undefined) break;
      this.#cursor = event.seq;
      this.#write(this.#spelling.spell(event));
    }
    if (this.#hub.closed && !this.#hub.hasAfter(this.#cursor)) {
      this.stop();
      this.#response.end();
    }
  }

  #write(text: string): void {
    if (!this.#response.write(text)) this.#full = true;
  }

  #drop(): void {
    this.stop();
    this.#onDropped();
    this.#response.destroy();
  }
}
