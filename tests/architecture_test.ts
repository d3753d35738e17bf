/**
 * The folder tree keeps its promise: imports point one way, and libraries stay behind one module.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join, relative, SEPARATOR } from "./support/paths.ts";

const SRC = fromFileUrl(new URL("../src", import.meta.url));

/** Which folders of src a folder may import from; every folder may import from itself. */
const MAY_IMPORT: { readonly [layer: string]: readonly string[] } = {
  base: [],
  log: ["base"],
  protocol: ["base"],
  vocabulary: ["base", "protocol"],
  signaling: ["base", "log", "protocol", "vocabulary"],
  transport: ["base", "log", "protocol"],
  storage: ["base", "log", "protocol", "vocabulary"],
  ipc: ["base", "log", "protocol", "vocabulary"],
  app: ["base", "log", "protocol", "vocabulary", "signaling", "transport", "storage", "ipc"],
  cli: ["base", "log", "protocol", "vocabulary", "app"],
  boltctl: ["base", "log", "protocol", "vocabulary", "signaling", "storage", "ipc", "cli"],
  "boltctl.ts": ["base", "boltctl"],
  "main.ts": ["base", "log", "protocol", "transport", "app", "cli", "boltctl.ts"],
};

/** Folders inside a layer, and those of its layer that each may import from. */
const MAY_IMPORT_INSIDE: { readonly [folder: string]: readonly string[] } = {
  "app/connect": [],
  "app/one_shot": ["app/connect"],
  "app/daemon": ["app/connect"],
};

/**
 * The layers of a connection, and what each may import of the others: the interface that it stands
 * on. `peer.ts` puts them together.
 */
const WEBRTC = "transport/webrtc/";
const LAYER_MAY_IMPORT: { readonly [layer: string]: readonly string[] } = {
  ice: [],
  dtls: ["ice/datagram_path.ts"],
  sctp: ["dtls/packet_link.ts"],
};

/** Libraries and the only place that may import each, beside its layer's `testing` folder. */
const ONLY_IN: { readonly [library: string]: string } = {
  werift: "transport/webrtc/",
  tweetnacl: "protocol/crypto/",
  libsodium: "protocol/crypto/sodium.ts",
  "@std/log": "log/",
  "@std/cli": "cli/",
  typebox: "ipc/",
};

/** Folders of the local API: which of its others each may know. Its tests' fakes know them all. */
const API_MAY_IMPORT: { readonly [folder: string]: readonly string[] } = {
  api: [],
  server: ["api"],
  client: ["api"],
  testing: ["api", "server", "client"],
};

interface Import {
  readonly file: string;
  readonly from: string;
}

function* sourceFiles(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* sourceFiles(path);
    else if (path.endsWith(".ts") && !path.endsWith("_test.ts")) yield path;
  }
}

function imports(): Import[] {
  const found: Import[] = [];
  for (const path of sourceFiles(SRC)) {
    const text = Deno.readTextFileSync(path);
    for (const match of text.matchAll(/(?:^|\s)(?:from|import)\s*\(?\s*"([^"]+)"/g)) {
      found.push({ file: posix(relative(SRC, path)), from: match[1] ?? "" });
    }
  }
  return found;
}

const posix = (path: string) => path.split(SEPARATOR).join("/");
const layerOf = (path: string) => path.split("/")[0] ?? "";
const target = ({ file, from }: Import) => posix(relative(SRC, join(SRC, dirname(file), from)));

Deno.test("imports between the folders of src point one way", () => {
  const wrong = imports().filter((one) => {
    if (!one.from.startsWith(".") || one.from.endsWith("/deno.json")) return false;
    const [importer, imported] = [layerOf(one.file), layerOf(target(one))];
    return importer !== imported && !MAY_IMPORT[importer]?.includes(imported);
  });
  assertEquals(wrong, []);
});

Deno.test("the API's server and client know what they speak of, and not each other", () => {
  const folderOf = (path: string) => path.startsWith("ipc/") ? path.split("/")[1] ?? "" : undefined;
  const wrong = imports().filter((one) => {
    const [importer, imported] = [folderOf(one.file), folderOf(target(one))];
    if (importer === undefined || imported === undefined || importer === imported) return false;
    return !API_MAY_IMPORT[importer]?.includes(imported);
  });
  assertEquals(wrong, []);
});

Deno.test("the two programs know nothing of each other, nor what they share of them", () => {
  const folderOf = (path: string) => path.split("/").slice(0, 2).join("/");
  const wrong = imports().filter((one) => {
    const [importer, imported] = [folderOf(one.file), folderOf(target(one))];
    const allowed = MAY_IMPORT_INSIDE[importer];
    return allowed !== undefined && imported !== importer && layerOf(imported) === "app" &&
      !allowed.includes(imported);
  });
  assertEquals(wrong, []);
});

Deno.test("each layer of a connection knows of the layer below no more than the interface it stands on", () => {
  const inside = (path: string) => path.startsWith(WEBRTC) ? path.slice(WEBRTC.length) : "";
  const wrong = imports().filter((one) => {
    const [importer, imported] = [inside(one.file), inside(target(one))];
    const allowed = LAYER_MAY_IMPORT[layerOf(importer)];
    const [layer, file] = imported.split("/");
    if (allowed === undefined || imported === "" || layer === layerOf(importer)) return false;
    const isShared = file === undefined && imported === "library.ts";
    return !isShared && !allowed.includes(imported);
  });
  assertEquals(wrong, []);
});

Deno.test("boltctl knows the API and its client, nothing of the server", () => {
  const wrong = imports().filter((one) =>
    one.file.startsWith("boltctl/") && /^ipc\/(server|testing)\//.test(target(one))
  );
  assertEquals(wrong, []);
});

/** A file of a layer's folder for what only tests use; there is one such folder a layer. */
const FOR_TESTS = /^[^/]+\/testing\/[^/]+$/;

Deno.test("what only tests use stands in its layer's testing folder, and nowhere else", () => {
  const wrong = [...sourceFiles(SRC)].map((path) => posix(relative(SRC, path)))
    .filter((file) => /(^|[/_.-])(testing|test)([/_.-])/.test(file) && !FOR_TESTS.test(file));
  assertEquals(wrong, []);
});

Deno.test("no program imports what is for tests", () => {
  const wrong = imports().filter((one) => !FOR_TESTS.test(one.file) && FOR_TESTS.test(target(one)));
  assertEquals(wrong, []);
});

Deno.test("each file of src that is not for tests is part of a program", () => {
  const edges = Map.groupBy(
    imports().filter(({ from }) => from.startsWith(".")),
    (one) => one.file,
  );
  const reached = new Set<string>();
  const reach = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    edges.get(file)?.forEach((one) => reach(target(one)));
  };
  reach("main.ts");
  const left = [...sourceFiles(SRC)].map((path) => posix(relative(SRC, path)))
    .filter((file) => !reached.has(file) && !FOR_TESTS.test(file));
  assertEquals(left, []);
});

Deno.test("no import goes in a circle", () => {
  const edges = new Map<string, string[]>();
  for (const one of imports()) {
    if (!one.from.startsWith(".")) continue;
    edges.set(one.file, [...edges.get(one.file) ?? [], target(one)]);
  }
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] => {
    if (path.includes(file)) return [...path, file];
    if (done.has(file)) return [];
    for (const next of edges.get(file) ?? []) {
      const circle = visit(next, [...path, file]);
      if (circle.length > 0) return circle;
    }
    done.add(file);
    return [];
  };
  for (const file of edges.keys()) assertEquals(visit(file, []), []);
});

Deno.test("each library stays behind the module that owns it", () => {
  const wrong = imports().filter(({ file, from }) => {
    const owner = ONLY_IN[from];
    const support = `${layerOf(owner ?? "")}/testing/`;
    return owner !== undefined && !file.startsWith(owner) && !file.startsWith(support);
  });
  assertEquals(wrong, []);
});

/** What a module exports under names of its own; what it passes on (`export ... from`) is no second. */
const EXPORTED =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:const|let|function\*?|class|interface|type|enum) (\w+)/gm;

Deno.test("no exported name of src means two things: a wrong import does not compile", () => {
  const homes = new Map<string, Set<string>>();
  for (const path of sourceFiles(SRC)) {
    const file = posix(relative(SRC, path));
    // The two entries are programs, and test support is imported by tests alone.
    const stands = file.includes("/") && !/(^|\/)testing(\/|\.ts$)/.test(file);
    for (const [, name = ""] of stands ? Deno.readTextFileSync(path).matchAll(EXPORTED) : []) {
      homes.set(name, (homes.get(name) ?? new Set()).add(file)); // overloads are of one file
    }
  }
  const twice = [...homes].filter(([, files]) => files.size > 1);
  assertEquals(twice.map(([name, files]) => `${name}: ${[...files].join(", ")}`), []);
});

Deno.test("what is documented says so itself: nobody is sent to the module's text", () => {
  const empty: string[] = [];
  for (const folder of [SRC, fromFileUrl(new URL(".", import.meta.url))]) {
    for (const path of sourceFiles(folder)) {
      if (/\/\*\*[\s*]*See the module/.test(Deno.readTextFileSync(path))) {
        empty.push(posix(relative(folder, path)));
      }
    }
  }
  assertEquals(empty, []);
});
