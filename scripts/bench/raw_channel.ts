/**
 * Two peers with an open channel between them, in processes of their own, and what they carry.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { type RemotePeer, spawnPeer } from "../interop/child.ts";
import { FOREIGN_STACKS, hasNode, installForeignStacks } from "../interop/node_packages.ts";
import type { BadPath } from "./transport_relay.ts";

const MIB = 2 ** 20;

/** What the program itself is run with, but for files. */
const FLAGS = ["--no-prompt", "--allow-net", "--allow-sys=networkInterfaces", "--ignore-env"];

/** Starts a peer under Deno: with our transport, or with the library as it is. */
export function spawnDenoPeer(variant: "ours" | "stock"): RemotePeer {
  const program = fileURLToPath(new URL("transport_peer.ts", import.meta.url));
  const args = ["run", "--quiet", "--no-check", ...FLAGS, program, variant];
  return spawnPeer(Deno.execPath(), args);
}

/** Peers of libdatachannel under Node. Disposing it removes their program. */
export class Libdatachannel implements Disposable {
  readonly name = `${FOREIGN_STACKS.libdatachannel.package} (Node)`;
  readonly #program: string;

  private constructor(program: string) {
    this.#program = program;
  }

  /** Installs them; undefined where there is no Node with npm. */
  static async install(): Promise<Libdatachannel | undefined> {
    return await hasNode() ? new Libdatachannel(await installForeignStacks()) : undefined;
  }

  /** Starts one. */
  spawn(): RemotePeer {
    return spawnPeer("node", [this.#program, FOREIGN_STACKS.libdatachannel.module]);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#program);
  }
}

/** Connects two peers; the milliseconds from the first word to both channels open. */
export async function connect(
  a: RemotePeer,
  b: RemotePeer,
  path?: BadPath,
): Promise<number> {
  await Promise.all([a.ready, b.ready]);
  const began = performance.now();
  const offer = await a.offer();
  const answer = await b.answer(path?.disguise(offer, 0) ?? offer);
  await a.accept(path?.disguise(answer, 1) ?? answer);
  await Promise.all([a.opened, b.opened]);
  return performance.now() - began;
}

/** What it took to carry bytes. */
export interface Carried {
  readonly megabytesPerSecond: number;
  /** Seconds from the first message until the sender knows that all have come. */
  readonly seconds: number;
  /** Of both. */
  readonly cpuMsPerMib: number;
  /** Of the larger one. */
  readonly peakRssMb: number;
}

/** Has the first send `total` bytes in messages of `size` bytes to the second. */
export async function carry(
  a: RemotePeer,
  b: RemotePeer,
  { size, total }: { readonly size: number; readonly total: number },
): Promise<Carried> {
  const count = total / size;
  const [sender, receiver] = await Promise.all([
    a.measure({ do: "send", size, count }),
    b.measure({ do: "receive", size, count }),
  ]);
  return {
    megabytesPerSecond: total / 1e6 / (receiver.ms / 1000),
    seconds: sender.ms / 1000,
    cpuMsPerMib: (sender.cpuMs + receiver.cpuMs) / (total / MIB),
    peakRssMb: Math.max(sender.peakResidentBytes, receiver.peakResidentBytes) / 1e6,
  };
}
