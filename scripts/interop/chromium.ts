/**
 * A headless Chromium, and a peer in one.
 *
 * @module
 */
import type { Browser, BrowserOptions, BrowserPage } from "./browser.ts";
import { findProgram, removeOnceLeft, StartedBrowser } from "./browser_process.ts";
import { RemotePeer } from "./child.ts";
import type { Reply } from "./commands.ts";
import { DevTools } from "./devtools.ts";
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

/** Chromium, or what comes of it, if one is installed. */
export function findChromium(): Promise<string | undefined> {
  return findProgram(PROGRAMS);
}

/** A browser with a fresh profile. Disposing it ends it. */
export class Chromium implements Browser {
  readonly #process: StartedBrowser;
  readonly #devTools: DevTools;
  readonly #profile: string;

  private constructor(process: StartedBrowser, devTools: DevTools, profile: string) {
    this.#process = process;
    this.#devTools = devTools;
    this.#profile = profile;
  }

  /** Starts the program, and waits until it takes commands. */
  static async start(program: string, { hidesAddresses }: BrowserOptions): Promise<Chromium> {
    const profile = await Deno.makeTempDir({ prefix: "bolt-chromium-" });
    const flags = [...FLAGS, ...hidesAddresses ? [] : SHOWN, `--user-data-dir=${profile}`];
    const process = await StartedBrowser.start(program, flags, LISTENING);
    try {
      return new Chromium(process, await DevTools.connect(process.url), profile);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      await removeOnceLeft(profile);
      throw error;
    }
  }

  open(url: string): Promise<BrowserPage> {
    return this.#devTools.open(url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#devTools[Symbol.asyncDispose]();
    await this.#process[Symbol.asyncDispose]();
    await removeOnceLeft(this.#profile);
  }
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

function repliesOf(socket: WebSocket): ReadableStream<Reply> {
  return new ReadableStream({
    start(controller) {
      socket.onmessage = ({ data }) => controller.enqueue(JSON.parse(data));
      socket.addEventListener("close", () => controller.close());
    },
  });
}
