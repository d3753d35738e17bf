/**
 * A page in a browser with web clients in it, and the tests' hand on them.
 *
 * @module
 */
import { abortable, Deadline } from "../../src/base/deadline.ts";
import type { Browser, BrowserPage } from "../../scripts/interop/browser.ts";
import { bundle } from "../../scripts/interop/node_packages.ts";
import { TempFolder } from "../support/temp_folder.ts";
import type { Happening, WebClientOptions } from "./page/options.ts";

/** How long something in a page may take on a slow machine. */
const HAPPENING_MS = 60_000;

/** A browser, and the server of its pages. Disposing it ends both. */
export class BrowserUnderTest implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #browser: Browser;
  readonly #url: string;

  private constructor(stack: AsyncDisposableStack, browser: Browser, url: string) {
    this.#stack = stack;
    this.#browser = browser;
    this.#url = url;
  }

  /** Serves the page, and starts the browser. */
  static async start(startBrowser: () => Promise<Browser>): Promise<BrowserUnderTest> {
    await using stack = new AsyncDisposableStack();
    const script = await bundledPage();
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      const isScript = new URL(request.url).pathname === "/page.js";
      const body = isScript
        ? script
        : `<!doctype html><script type="module" src="/page.js"></script>`;
      const type = isScript ? "text/javascript" : "text/html";
      return new Response(body, { headers: { "content-type": type } });
    });
    stack.defer(() => server.shutdown());
    const browser = stack.use(await startBrowser());
    const url = `http://127.0.0.1:${server.addr.port}/`;
    return new BrowserUnderTest(stack.move(), browser, url);
  }

  /** Opens a page. */
  async open(): Promise<WebPage> {
    return new WebPage(await this.#browser.open(this.#url));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function bundledPage(): Promise<string> {
  await using folder = await TempFolder.make();
  const output = folder.path("page.js");
  const module = new URL("page/main.ts", import.meta.url).href;
  await bundle(module, output, ["--platform=browser"]);
  return await Deno.readTextFile(output);
}

/** A page. Disposing it closes it. */
export class WebPage implements AsyncDisposable {
  readonly #page: BrowserPage;
  #clients = 0;

  /** Use {@linkcode BrowserUnderTest.open}. */
  constructor(page: BrowserPage) {
    this.#page = page;
  }

  /** Has a web client begin: it meets the daemon when that is there. */
  async begin(options: WebClientOptions): Promise<PageClient> {
    const name = `client${++this.#clients}`;
    await this.#page.evaluate(`bolt.begin("${name}", ${JSON.stringify(options)})`);
    return new PageClient(this.#page, name);
  }

  /** Loads the page anew: its clients are gone without a word. */
  async reload(): Promise<void> {
    await this.#page.reload();
  }

  /** What its scripts threw and nobody caught. */
  get errors(): readonly string[] {
    return this.#page.errors;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#page[Symbol.asyncDispose]();
  }
}

/** A web client in a page. */
export class PageClient {
  readonly #page: BrowserPage;
  readonly #name: string;

  /** Use {@linkcode WebPage.begin}. */
  constructor(page: BrowserPage, name: string) {
    this.#page = page;
    this.#name = name;
  }

  /** The first of a kind, or the nth, past ones too; of a file, or of any. */
  async first(
    kind: Happening["kind"],
    { name, n = 1, withinMs = HAPPENING_MS }: {
      readonly name?: string;
      readonly n?: number;
      readonly withinMs?: number;
    } = {},
  ): Promise<Happening> {
    using deadline = new Deadline(withinMs, { what: `${kind} in the page` });
    try {
      return await abortable(this.#call("nth", kind, name, n), deadline.signal) as Happening;
    } catch (error) {
      const happened = (await this.happened()).map((one) => JSON.stringify(one)).join("\n");
      throw new Error(`${kind} ${name ?? ""} did not come; happened:\n${happened}`, {
        cause: error,
      });
    }
  }

  /** All that has happened so far. */
  async happened(): Promise<readonly Happening[]> {
    return await this.#page.evaluate(`bolt.client("${this.#name}").happened`) as Happening[];
  }

  /** Sends a file; resolves with its hash when all is on its way, or it was cancelled. */
  async send(name: string, size: number, seed = 0): Promise<string> {
    return await this.#call("send", name, size, seed) as string;
  }

  /** Pauses, resumes or cancels a file, of either direction. */
  async steer(type: "pause" | "resume" | "cancel", name: string): Promise<void> {
    await this.#call("steer", type, name);
  }

  /** Its people leave. */
  async close(): Promise<void> {
    await this.#page.evaluate(`bolt.forget("${this.#name}")`);
  }

  #call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    const list = args.map((arg) => arg === undefined ? "undefined" : JSON.stringify(arg)).join(
      ", ",
    );
    return this.#page.evaluate(`bolt.client("${this.#name}").${method}(${list})`);
  }
}
