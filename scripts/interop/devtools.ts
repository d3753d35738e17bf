/**
 * The DevTools protocol of a browser, as far as a test needs it: pages, and what they are told.
 *
 * @module
 */

import type { BrowserPage } from "./browser.ts";

interface Answer {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Record<string, unknown>;
}

/** What an expression in a page came to. */
interface Evaluation {
  readonly result: { readonly value?: unknown };
  readonly exceptionDetails?: Thrown;
}

interface Thrown {
  readonly text: string;
  readonly exception?: { readonly description?: string; readonly value?: unknown };
}

function told({ text, exception }: Thrown): string {
  return exception?.description ?? String(exception?.value ?? text);
}

/** A connection to a browser. Disposing it leaves the browser alone. */
export class DevTools implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #closed = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  readonly #pages = new Map<string, Page>();
  #commands = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the browser has gone"));
      this.#waiting.clear();
      this.#closed.resolve();
    };
  }

  /** Connects to the address that the browser told. */
  static async connect(url: string): Promise<DevTools> {
    const socket = new WebSocket(url);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error(`no browser answers at ${url}`));
    });
    return new DevTools(socket);
  }

  /** Opens a page that has loaded when this resolves. */
  async open(url: string): Promise<Page> {
    const { targetId } = await this.command("Target.createTarget", { url: "about:blank" });
    const attach = { targetId, flatten: true };
    const { sessionId } = await this.command("Target.attachToTarget", attach);
    const page = new Page(this, String(targetId), String(sessionId));
    this.#pages.set(String(sessionId), page);
    await page.begin(url);
    return page;
  }

  /** Has the browser, or one of its pages, do something. */
  async command(
    method: string,
    params: Record<string, unknown> = {},
    sessionId?: string,
  ): Promise<Record<string, unknown>> {
    const id = ++this.#commands;
    const answer = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.set(id, answer);
    const session = sessionId === undefined ? {} : { sessionId };
    this.#socket.send(JSON.stringify({ id, method, params, ...session }));
    return await answer.promise;
  }

  #take({ id, result = {}, error, method, sessionId, params = {} }: Answer): void {
    if (id === undefined) return this.#pages.get(sessionId ?? "")?.take(method ?? "", params);
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(`the browser refused: ${error.message}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#closed.promise;
  }
}

/** A page in Chromium. */
export class Page implements BrowserPage {
  readonly #devTools: DevTools;
  readonly #targetId: string;
  readonly #sessionId: string;
  readonly #errors: string[] = [];
  #loaded = Promise.withResolvers<void>();

  /** Use {@linkcode DevTools.open}. */
  constructor(devTools: DevTools, targetId: string, sessionId: string) {
    this.#devTools = devTools;
    this.#targetId = targetId;
    this.#sessionId = sessionId;
  }

  get errors(): readonly string[] {
    return this.#errors;
  }

  /** @internal */
  async begin(url: string): Promise<void> {
    await this.#command("Page.enable");
    await this.#command("Runtime.enable");
    await this.#load("Page.navigate", { url });
  }

  async reload(): Promise<void> {
    await this.#load("Page.reload");
  }

  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#command("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    }) as unknown as Evaluation;
    if (exceptionDetails !== undefined) throw new Error(`in the page: ${told(exceptionDetails)}`);
    return result.value;
  }

  /** @internal */
  take(method: string, params: Record<string, unknown>): void {
    if (method === "Page.loadEventFired") this.#loaded.resolve();
    if (method !== "Runtime.exceptionThrown") return;
    this.#errors.push(told(params.exceptionDetails as Thrown));
  }

  async #load(method: string, params?: Record<string, unknown>): Promise<void> {
    this.#loaded = Promise.withResolvers<void>();
    await this.#command(method, params);
    await this.#loaded.promise;
  }

  #command(method: string, params?: Record<string, unknown>): Promise<Record<string, unknown>> {
    return this.#devTools.command(method, params, this.#sessionId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#devTools.command("Target.closeTarget", { targetId: this.#targetId });
  }
}
