/**
 * Benchmark of the protocol core: MB/s of the cryptography alone and of whole in-memory transfers,
 * and what the machinery around the cryptography costs beside it.
 *
 * "Crypto alone" is what a transfer can't do without: for each chunk the seals and opens of the two
 * layers, the ratchet's key derivations, and SHA-256 on both sides, on bytes of the sizes that a
 * transfer has. "Whole" is two sessions wired back to back, sender and receiver in one thread.
 *
 * @module
 */
import { advanceChain, deriveMessageKey } from "../../src/protocol/btr/key_schedule.ts";
import { KeyPair, SecretKey } from "../../src/protocol/crypto/keys.ts";
import { open, seal, SEAL_OVERHEAD_BYTES } from "../../src/protocol/crypto/sealing.ts";
import { BINARY_ENCODING, type Capability } from "../../src/protocol/messages/capabilities.ts";
import type { SessionEffect } from "../../src/protocol/session/effects.ts";
import { Session } from "../../src/protocol/session/session.ts";

const CHUNK_SIZES = [16_384, 65_536, 131_072];
const MODES: Readonly<Record<string, readonly Capability[]>> = {
  "ratcheted, published": ["bolt.file-hash", "bolt.transfer-ratchet-v1"],
  "ratcheted, binary": ["bolt.file-hash", "bolt.transfer-ratchet-v1", BINARY_ENCODING],
  "plain, binary": ["bolt.file-hash", BINARY_ENCODING],
};
const MIB = 8;
const ROUNDS = 5;

const random = (length: number): Uint8Array<ArrayBuffer> =>
  crypto.getRandomValues(new Uint8Array(length));

/** Seconds that `work` takes: the best of some rounds, so that a busy machine distorts less. */
function secondsOf(work: () => void): number {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    work();
    best = Math.min(best, performance.now() - start);
  }
  return best / 1000;
}

/** Bytes that an envelope seals for a chunk: in JSON as base64, or as they are behind a header. */
function envelopeBytes(chunkBytes: number, isBinary: boolean): number {
  return isBinary ? chunkBytes + 30 : Math.ceil(chunkBytes / 3) * 4 + 220;
}

/** The cryptography of a whole transfer, both sides, and nothing else. */
function cryptoAlone(
  chunkSize: number,
  chunks: number,
  { ratcheted, isBinary }: { readonly ratcheted: boolean; readonly isBinary: boolean },
): void {
  const key = new SecretKey("box", random(32));
  const plaintext = new Uint8Array(chunkSize);
  let [sending, receiving] = [
    new SecretKey("chain", new Uint8Array(32)),
    new SecretKey("chain", new Uint8Array(32)),
  ];
  const inner = new Uint8Array(
    envelopeBytes(chunkSize + (ratcheted ? SEAL_OVERHEAD_BYTES : 0), isBinary),
  );
  for (let i = 0; i < chunks; i++) {
    if (ratcheted) {
      const sealed = seal(deriveMessageKey(sending), plaintext, random);
      open(deriveMessageKey(receiving), sealed);
      [sending, receiving] = [advanceChain(sending), advanceChain(receiving)];
    }
    open(key, seal(key, inner, random));
  }
}

/** A whole transfer between two sessions. */
function wholeTransfer(chunkSize: number, size: number, capabilities: readonly Capability[]): void {
  const keys = [
    KeyPair.generate("ephemeral", random),
    KeyPair.generate("ephemeral", random),
  ] as const;
  const sessionOf = (own: 0 | 1) =>
    new Session({
      identity: KeyPair.generate("identity", random).publicKey,
      ephemeral: keys[own],
      remoteEphemeral: keys[own === 0 ? 1 : 0].publicKey,
      random,
      capabilities,
    });
  const [sender, receiver] = [sessionOf(0), sessionOf(1)];
  let received = 0;
  const carry = (effects: readonly SessionEffect[], to: Session, back: Session): void => {
    for (const effect of effects) {
      if (effect.type === "send") carry(to.receive(effect.frame, 0), back, to);
      if (effect.type === "transfer-chunk") received += effect.data.length;
    }
  };
  const hello = [...sender.start(0)];
  carry(receiver.start(0), sender, receiver);
  carry(hello, receiver, sender);
  const sending = sender.approve(0).transfers;
  const receiving = receiver.approve(0).transfers;
  const piece = new Uint8Array(chunkSize);
  const fileHash = "0".repeat(64); // files are hashed outside of the core
  const { transferId, effects } = sending.offer(
    { filename: "bench", size, chunkSize, fileHash },
    0,
  );
  carry(effects, receiver, sender);
  carry(receiving.accept(transferId, 0), sender, receiver);
  while (sending.nextChunk(transferId) !== undefined) {
    carry(sending.sendChunk(transferId, piece, 0), receiver, sender);
  }
  if (received !== size) throw new Error(`${received} of ${size} bytes arrived`);
  sender.close();
  receiver.close();
}

/** Prints the figures. */
export function benchCore(): void {
  const line = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text + "\n"));
  const rate = (bytes: number, seconds: number) => (bytes / seconds / 1e6).toFixed(0).padStart(5);
  for (const chunkSize of CHUNK_SIZES) {
    const size = MIB * 2 ** 20;
    const chunks = size / chunkSize;
    const key = new SecretKey("box", random(32));
    const plaintext = new Uint8Array(chunkSize);
    const sealed = seal(key, plaintext, random);
    const times = (work: () => void) => () => {
      for (let i = 0; i < chunks; i++) work();
    };
    const sealing = secondsOf(times(() => seal(key, plaintext, random)));
    const opening = secondsOf(times(() => open(key, sealed)));
    const kib = `${chunkSize / 1024} KiB`;
    line(`${kib} chunks: seal ${rate(size, sealing)} MB/s, open ${rate(size, opening)} MB/s`);
    for (const [mode, capabilities] of Object.entries(MODES)) {
      const isBinary = capabilities.includes(BINARY_ENCODING);
      const ratcheted = capabilities.includes("bolt.transfer-ratchet-v1");
      const alone = secondsOf(() => cryptoAlone(chunkSize, chunks, { ratcheted, isBinary }));
      const whole = secondsOf(() => wholeTransfer(chunkSize, size, capabilities));
      // The published encoding is base64 and JSON for the most part.
      const ratio = whole / alone;
      line(
        `  ${mode.padEnd(20)} crypto alone ${rate(size, alone)} MB/s, whole transfer ` +
          `${rate(size, whole)} MB/s, whole / crypto = ${ratio.toFixed(2)}`,
      );
    }
  }
}
