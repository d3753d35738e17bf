/**
 * A headless Firefox, driven by WebDriver BiDi.
 *
 * @module
 */
import type { Browser, BrowserOptions, BrowserPage } from "./browser.ts";
import { findProgram, removeOnceLeft, StartedBrowser } from "./browser_process.ts";

/** The line of its stderr that tells where it takes commands. */
const LISTENING = /^WebDriver BiDi listening on (ws:\/\/\S+)$/m;

/** What shows a page's addresses: they are hidden behind .local names otherwise. */
const SHOWN = {
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.peerconnection.ice.loopback": true,
};

/** Firefox, if it is installed. */
export function findFirefox(): Promise<string | undefined> {
  return findProgram(["firefox-esr", "firefox"]);
}

interface Answer {
  readonly type: "success" | "error" | "event";
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly message?: string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
}

/** What a script in a page came to. */
type Evaluation =
  | { readonly type: "success"; readonly result: { readonly value?: string } }
  | { readonly type: "exception"; readonly exceptionDetails: { readonly text: string } };

/** A browser with a fresh profile. Disposing it ends it. */
export class Firefox implements Browser {
  readonly #process: StartedBrowser;
  readonly #socket: WebSocket;
  readonly #profile: string;
  readonly #closed = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  readonly #pages = new Map<string, FirefoxPage>();
  #commands = 0;

  private constructor(process: StartedBrowser, socket: WebSocket, profile: string) {
    this.#process = process;
    this.#socket = socket;
    this.#profile = profile;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the browser has gone"));
      this.#waiting.clear();
      this.#closed.resolve();
    };
  }

  /** Starts the program, and waits until it takes commands. */
  static async start(program: string, { hidesAddresses }: BrowserOptions): Promise<Firefox> {
    const profile = await Deno.makeTempDir({ prefix: "bolt-firefox-" });
    const preferences = Object.entries(hidesAddresses ? {} : SHOWN)
      .map(([name, value]) => `user_pref("${name}", ${value});\n`);
    await Deno.writeTextFile(`${profile}/user.js`, preferences.join(""));
    const args = ["--headless", "--no-remote", "--remote-debugging-port=0", "--profile", profile];
    const process = await StartedBrowser.start(program, args, LISTENING);
    try {
      const socket = new WebSocket(`${process.url}/session`);
      await new Promise<void>((resolve, reject) => {
        socket.onopen = () => resolve();
        socket.onerror = () => reject(new Error(`no browser answers at ${process.url}`));
      });
      const firefox = new Firefox(process, socket, profile);
      await firefox.command("session.new", { capabilities: {} });
      await firefox.command("session.subscribe", { events: ["log.entryAdded"] });
      return firefox;
    } catch (error) {
      await process[Symbol.asyncDispose]();
      await removeOnceLeft(profile);
      throw error;
    }
  }

  async open(url: string): Promise<BrowserPage> {
    const { context } = await this.command("browsingContext.create", { type: "tab" });
    const page = new FirefoxPage(this, String(context));
    this.#pages.set(String(context), page);
    await this.command("browsingContext.navigate", { context, url, wait: "complete" });
    return page;
  }

  /** Has it do something. */
  async command(
    method: string,
    params: Record<string, unknown>,
  ): Promise<Record<string, unknown>> {
    const id = ++this.#commands;
    const answer = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return await answer.promise;
  }

  #take({ type, id = 0, result = {}, message, params }: Answer): void {
    if (type === "event") return this.#note(params ?? {});
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (type === "success") waiting?.resolve(result);
    else waiting?.reject(new Error(`the browser refused: ${message}`));
  }

  #note({ level, text, source }: Record<string, unknown>): void {
    if (level !== "error") return;
    const { context } = source as { readonly context?: string };
    this.#pages.get(context ?? "")?.failed(String(text));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#closed.promise;
    await this.#process[Symbol.asyncDispose]();
    await removeOnceLeft(this.#profile);
  }
}

/** A page in Firefox. */
class FirefoxPage implements BrowserPage {
  readonly #firefox: Firefox;
  readonly #context: string;
  readonly #errors: string[] = [];

  constructor(firefox: Firefox, context: string) {
    this.#firefox = firefox;
    this.#context = context;
  }

  get errors(): readonly string[] {
    return this.#errors;
  }

  failed(text: string): void {
    this.#errors.push(text);
  }

  async reload(): Promise<void> {
    const { context } = this.#target;
    await this.#firefox.command("browsingContext.reload", { context, wait: "complete" });
  }

  async evaluate(expression: string): Promise<unknown> {
    // Its own form of values has types: JSON is what both browsers have.
    const evaluation = await this.#firefox.command("script.evaluate", {
      expression: `(async () => JSON.stringify(await (${expression})))()`,
      target: this.#target,
      awaitPromise: true,
    }) as unknown as Evaluation;
    if (evaluation.type === "exception") {
      throw new Error(`in the page: ${evaluation.exceptionDetails.text}`);
    }
    const { value } = evaluation.result;
    return value === undefined ? undefined : JSON.parse(value);
  }

  get #target(): { readonly context: string } {
    return { context: this.#context };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#firefox.command("browsingContext.close", this.#target);
  }
}
