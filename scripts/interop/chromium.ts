/**
 * A headless Chromium, and a peer in one.
 *
 * @module
 */
import { RemotePeer } from "./child.ts";
import type { Reply } from "./commands.ts";
import { DevTools, type Page } from "./devtools.ts";
import { bundle } from "./node_packages.ts";

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-breakpad",
  // Pages that nobody looks at run as fast as others.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--remote-debugging-port=0",
];

/** What shows a page's addresses: they are hidden behind .local names otherwise. */
const SHOWN = [
  "--disable-features=WebRtcHideLocalIpsWithMdns",
  "--allow-loopback-in-peer-connection",
];

/** The line of its stderr that tells where it takes commands. */
const LISTENING = /^DevTools listening on (ws:\/\/\S+)$/m;

/** Options of {@linkcode Chromium.start}. */
export interface ChromiumOptions {
  /**
   * Whether candidates have `.local` names, which no network scope lets in, in place of addresses.
   */
  readonly hidesAddresses: boolean;
}

/** The first of its programs that runs. */
export async function findChromium(): Promise<string | undefined> {
  for (const program of PROGRAMS) {
    try {
      const version = new Deno.Command(program, { args: ["--version"] });
      if ((await version.output()).success) return program;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

/** A browser with a fresh profile. Disposing it ends it. */
export class Chromium implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly #devTools: DevTools;

  private constructor(
    folder: string,
    child: Deno.ChildProcess,
    reading: Promise<void>,
    devTools: DevTools,
  ) {
    this.#folder = folder;
    this.#child = child;
    this.#reading = reading;
    this.#devTools = devTools;
  }

  /** Starts the program, and waits until it takes commands. */
  static async start(program: string, { hidesAddresses }: ChromiumOptions): Promise<Chromium> {
    const folder = await Deno.makeTempDir({ prefix: "bolt-chromium-" });
    const flags = hidesAddresses ? FLAGS : [...FLAGS, ...SHOWN];
    const child = new Deno.Command(program, {
      args: [...flags, `--user-data-dir=${folder}`],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const listening = Promise.withResolvers<string>();
    const reading = readUntilEnd(child.stderr, listening);
    try {
      const devTools = await DevTools.connect(await listening.promise);
      return new Chromium(folder, child, reading, devTools);
    } catch (error) {
      await end(child, reading);
      await removeOnceLeft(folder);
      throw error;
    }
  }

  /** Opens a page that has loaded when this resolves. */
  open(url: string): Promise<Page> {
    return this.#devTools.open(url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#devTools[Symbol.asyncDispose]();
    await end(this.#child, this.#reading);
    await removeOnceLeft(this.#folder);
  }
}

/** Reads what it says, as long as it says anything; told is where it listens. */
async function readUntilEnd(
  stderr: ReadableStream<Uint8Array<ArrayBuffer>>,
  listening: PromiseWithResolvers<string>,
): Promise<void> {
  let said = "";
  let isTold = false;
  for await (const text of stderr.pipeThrough(new TextDecoderStream())) {
    if (isTold) continue;
    said += text;
    const url = LISTENING.exec(said)?.[1];
    if (url === undefined) continue;
    isTold = true;
    listening.resolve(url);
  }
  listening.reject(new Error(`the browser ended before it took commands:\n${said}`));
}

async function end(child: Deno.ChildProcess, reading: Promise<void>): Promise<void> {
  try {
    child.kill("SIGTERM");
  } catch {
    // It had ended.
  }
  await child.status;
  await reading;
}

/** Opens a page with a peer in a browser of its own. */
export async function openChromiumPeer(program: string): Promise<RemotePeer> {
  const script = await Deno.makeTempFile({ prefix: "bolt-chromium-", suffix: ".js" });
  await bundle("browser_page.ts", script, ["--platform=browser"]);
  const page = await Deno.readTextFile(script);
  await Deno.remove(script);
  const connected = Promise.withResolvers<WebSocket>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/page.js") {
        return new Response(page, { headers: { "content-type": "text/javascript" } });
      }
      if (pathname === "/peer") {
        const { socket, response } = Deno.upgradeWebSocket(request);
        socket.onopen = () => connected.resolve(socket);
        return response;
      }
      const html = `<!doctype html><script type="module" src="/page.js"></script>`;
      return new Response(html, { headers: { "content-type": "text/html" } });
    },
  );
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const browser = await Chromium.start(program, { hidesAddresses: false });
  await browser.open(url);
  const socket = await connected.promise;
  return new RemotePeer({
    replies: repliesOf(socket),
    tell: (command) => {
      socket.send(JSON.stringify(command));
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => socket.onclose = resolve);
      socket.close();
      await closed;
      await browser[Symbol.asyncDispose]();
      await server.shutdown();
    },
  });
}

/** The browser's helper processes outlive it by a moment, and still write to its profile. */
async function removeOnceLeft(folder: string): Promise<void> {
  for (let left = 100;; left--) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function repliesOf(socket: WebSocket): ReadableStream<Reply> {
  return new ReadableStream({
    start(controller) {
      socket.onmessage = ({ data }) => controller.enqueue(JSON.parse(data));
      socket.addEventListener("close", () => controller.close());
    },
  });
}
