import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { SignalError } from "../../base/errors.ts";
import {
  encodeBundle,
  MAX_BUNDLE_BYTES,
  parseBundle,
  type SignalBundle,
} from "../../protocol/signal/bundle.ts";
import { readSignalLine, writeSignalLine } from "./standard_streams.ts";

const bundle: SignalBundle = {
  description: { sdpType: "offer", sdp: "v=0\r\ns=ü\r\n" },
  candidates: [{ candidate: "candidate:1", mid: "0" }],
};
const { signal } = new AbortController();

/** An input that gives `bytes` in pieces of the given sizes, then ends. */
function inputOf(bytes: Uint8Array, sizes: readonly number[] = []) {
  let at = 0;
  let turn = 0;
  return {
    read(buffer: Uint8Array): Promise<number | null> {
      if (at >= bytes.length) return Promise.resolve(null);
      const size = sizes[turn++ % Math.max(sizes.length, 1)] ?? bytes.length;
      const piece = bytes.subarray(at, at + Math.min(size, buffer.length));
      buffer.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length);
    },
  };
}

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("a line is read however it is cut, and what follows it is left alone", async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 });
  const before = fc.constantFrom("", "\n", "\r\n\n");
  const after = fc.constantFrom("", "\n", "\nmore", "\r\n{}");
  await fc.assert(fc.asyncProperty(sizes, before, after, async (sizes, before, after) => {
    const input = inputOf(encode(before + encodeBundle(bundle) + after), sizes);
    assertEquals(parseBundle(await readSignalLine("offer", signal, input), "offer"), bundle);
  }));
});

Deno.test("a line is read when it came together with empty ones, while the input stays open", async () => {
  const open = () => new Promise<number | null>(() => {});
  for (const before of ["\n", "\r\n", "\n".repeat(1000), " \n\n"]) {
    const inputs = [inputOf(encode(before + encodeBundle(bundle) + "\n"))];
    const input = { read: (buffer: Uint8Array) => inputs.pop()?.read(buffer) ?? open() };
    const ends = AbortSignal.timeout(5000);
    assertEquals(await readSignalLine("offer", ends, input), encodeBundle(bundle));
  }
});

Deno.test("an input that ends before a bundle is a clear error", async () => {
  for (const text of ["", "\n\n", "  \n"]) {
    const error = await assertRejects(
      () => readSignalLine("answer", signal, inputOf(encode(text))),
      SignalError,
      "stdin ended before the answer",
    );
    assertEquals(error.code, "SIGNAL_STREAM");
  }
});

Deno.test("a line over 1 MiB is a clear error", async () => {
  await assertRejects(
    () => readSignalLine("offer", signal, inputOf(new Uint8Array(MAX_BUNDLE_BYTES + 2).fill(97))),
    SignalError,
    "over 1 MiB",
  );
});

Deno.test("reading ends with the signal's reason", async () => {
  const control = new AbortController();
  const never = { read: () => new Promise<number | null>(() => {}) };
  const reading = readSignalLine("offer", control.signal, never);
  control.abort(new Error("enough"));
  await assertRejects(() => reading, Error, "enough");
});

Deno.test("a bundle is written as one line, through short writes", async () => {
  const written: number[] = [];
  await writeSignalLine(encodeBundle(bundle), "offer", signal, {
    write: (bytes) => {
      written.push(...bytes.subarray(0, 7));
      return Promise.resolve(Math.min(bytes.length, 7));
    },
  });
  assertEquals(new TextDecoder().decode(new Uint8Array(written)), encodeBundle(bundle) + "\n");
});

Deno.test("a closed stdout is a clear error", async () => {
  const output = { write: () => Promise.reject(new Deno.errors.BrokenPipe("broken pipe")) };
  await assertRejects(
    () => writeSignalLine(encodeBundle(bundle), "offer", signal, output),
    SignalError,
    "to stdout: broken pipe",
  );
});
