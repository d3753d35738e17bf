/**
 * A peer in a headless Chromium.
 *
 * @module
 */
import { RemotePeer } from "./child.ts";
import type { Reply } from "./commands.ts";
import { bundle } from "./node_packages.ts";

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Its addresses are hidden behind .local names otherwise, which no network scope lets in.
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

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

/** Opens a page with a peer in a browser of its own. */
export async function openChromiumPeer(program: string): Promise<RemotePeer> {
  const folder = await Deno.makeTempDir({ prefix: "bolt-chromium-" });
  const script = `${folder}/page.js`;
  await bundle("browser_page.ts", script, ["--platform=browser"]);
  const page = await Deno.readTextFile(script);
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
  const child = new Deno.Command(program, {
    args: [...FLAGS, `--user-data-dir=${folder}/profile`, url],
    stdout: "null",
    stderr: "null",
  }).spawn();
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
      child.kill("SIGTERM");
      await child.status;
      await server.shutdown();
      await removeOnceLeft(folder);
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
