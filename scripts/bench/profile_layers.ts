/**
 * What each layer of the program takes of a CPU profile, as V8 writes it (`.cpuprofile`).
 *
 * @module
 */

/** A profile: of its nodes, as far as they are used. Times are in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly startTime: number;
  /** The node that ran at each sample. */
  readonly samples: readonly number[];
  /** From the sample before, or the start. */
  readonly timeDeltas: readonly number[];
}

/** Microseconds on the profile's clock. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Nothing ran. */
export const IDLE = "idle";
/** What belongs to no layer of ours: the runtime, the engine, libraries that no code of ours called. */
export const REST = "rest: runtime, engine";

/** Files of a layer; the first that fits is it. */
const LAYERS: readonly (readonly [prefix: string, layer: string])[] = [
  ["protocol/crypto/sha256.ts", "SHA-256 of the file"],
  ["protocol/btr/", "chunk's seal, ratchet"],
  ["protocol/crypto/connection_box.ts", "envelope's box"],
  ["protocol/messages/", "envelope's box"],
  // Whoever calls them: a seal, a box, a record.
  ["protocol/crypto/", ""],
  ["protocol/", "session and transfer"],
  ["transport/webrtc/dtls/", "DTLS records"],
  ["transport/webrtc/sctp/", "SCTP"],
  ["transport/webrtc/ice/", "sockets, ICE"],
  ["transport/", "channel"],
  ["storage/", "disk"],
  ["app/", "daemon"],
  ["ipc/", "local API"],
  ["log/", "log"],
];
const SRC = /\/src\/(.+)$/;
const ENGINE: Readonly<Record<string, string>> = {
  "(idle)": IDLE,
  "(garbage collector)": "garbage collector",
};

/** All layers that there can be, in the order of a table. */
export const LAYER_NAMES: readonly string[] = [
  ...new Set(LAYERS.map(([, layer]) => layer).filter((layer) => layer !== "")),
  "garbage collector",
  REST,
];

/**
 * Self time by layer, in microseconds: what runs belongs to the layer of the nearest file of ours
 * on its stack, so that a library's work is that of the layer that asked for it.
 *
 * @param span What is counted.
 */
export function timeByLayer(profile: CpuProfile, span: Span): Map<string, number> {
  const layers = layersOf(profile);
  const times = new Map<string, number>();
  let now = profile.startTime;
  for (const [i, id] of profile.samples.entries()) {
    const before = now;
    now += profile.timeDeltas[i] ?? 0;
    const inside = Math.min(now, span.to) - Math.max(before, span.from);
    const layer = layers.get(id) ?? REST;
    if (inside > 0) times.set(layer, (times.get(layer) ?? 0) + inside);
  }
  return times;
}

/** The layers' shares of the time in which something ran: samples count a thread that waits for a core. */
export function sharesOf(times: ReadonlyMap<string, number>): Map<string, number> {
  const busy = [...times].filter(([layer]) => layer !== IDLE);
  const all = busy.reduce((sum, [, us]) => sum + us, 0);
  return new Map(busy.map(([layer, us]) => [layer, us / all]));
}

/** The layer of each node, by its id. */
function layersOf({ nodes }: CpuProfile): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const layers = new Map<number, string>();
  const isChild = new Set(nodes.flatMap(({ children = [] }) => children));
  const left = nodes.filter(({ id }) => !isChild.has(id))
    .map(({ id }): [id: number, callers: string] => [id, REST]);
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [id, callers] = next;
    const node = byId.get(id);
    if (node === undefined) continue;
    const layer = layerOf(node.callFrame) ?? callers;
    layers.set(id, layer);
    for (const child of node.children ?? []) left.push([child, layer]);
  }
  return layers;
}

/** The layer that a function says by itself. */
function layerOf(frame: CpuProfile["nodes"][number]["callFrame"]): string | undefined {
  const path = SRC.exec(frame.url)?.[1];
  const layer = LAYERS.find(([prefix]) => path?.startsWith(prefix))?.[1];
  return ENGINE[frame.functionName] ?? (layer === "" ? undefined : layer);
}
