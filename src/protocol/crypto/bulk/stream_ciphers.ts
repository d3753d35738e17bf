/**
 * Salsa20, HSalsa20 (Bernstein: "Salsa20 specification", "Extending the Salsa20 nonce") and ChaCha20
 * (RFC 8439, section 2.3) as WebAssembly, four blocks at a time: each of the 16 words of the state is
 * a vector, with a lane for each block. No branch and no address depends on key or data.
 *
 * @module
 */
import { type Code, i32, i32x4, local, repeatWhile, sequence, TYPE, v128 } from "./wasm_code.ts";
import type { WasmFunctionCode } from "./wasm_code.ts";

/** Bytes that a pass takes at a time: the last may write so many past the end, but one. */
export const STRIDE_BYTES = 256;

/** Four words that are mixed with one another. */
type Quarter = readonly [a: number, b: number, c: number, d: number];

// Locals: the two parameters and the end, a counter, the 16 words, and 4 to work with.
const STATE = local.get(0);
const DATA = 1;
const END = 2;
const ROUNDS = 3;
const word = (index: number): number => 4 + index;
const spare = (index: number): number => 20 + index;
const WORDS = Array.from({ length: 16 }, (_, index) => index);

/** For each step of a round all four quarters: they do not wait for one another. */
function inStep(
  quarters: readonly Quarter[],
  steps: readonly ((quarter: Quarter, spare: number) => Code)[],
): number[] {
  return sequence(
    ...steps.flatMap((step) => quarters.map((quarter, index) => step(quarter, spare(index)))),
  );
}

/** `to ^= (a + b) <<< bits` */
function salsaMix(to: number, a: number, b: number, bits: number, temporary: number): number[] {
  const sum = local.get(temporary);
  return sequence(
    local.set(temporary, i32x4.add(local.get(word(a)), local.get(word(b)))),
    local.set(
      word(to),
      v128.xor(
        v128.xor(local.get(word(to)), i32x4.shl(sum, i32.const(bits))),
        i32x4.shrU(sum, i32.const(32 - bits)),
      ),
    ),
  );
}

const salsaRound = (quarters: readonly Quarter[]): number[] =>
  inStep(quarters, [
    ([a, b, , d], temporary) => salsaMix(b, a, d, 7, temporary),
    ([a, b, c], temporary) => salsaMix(c, b, a, 9, temporary),
    ([, b, c, d], temporary) => salsaMix(d, c, b, 13, temporary),
    ([a, , c, d], temporary) => salsaMix(a, d, c, 18, temporary),
  ]);

/** A column round, then a row round. */
const SALSA_ROUNDS: Code = sequence(
  salsaRound([[0, 4, 8, 12], [5, 9, 13, 1], [10, 14, 2, 6], [15, 3, 7, 11]]),
  salsaRound([[0, 1, 2, 3], [5, 6, 7, 4], [10, 11, 8, 9], [15, 12, 13, 14]]),
);

/** Each lane turned to the left; whole bytes by one instruction. */
function turned(value: Code, bits: number): number[] {
  if (bits % 8 !== 0) {
    return v128.or(i32x4.shl(value, i32.const(bits)), i32x4.shrU(value, i32.const(32 - bits)));
  }
  const bytes = WORDS.map((byte) => (byte & ~3) + ((byte + 4 - bits / 8) & 3));
  return v128.shuffleBytes(value, value, bytes);
}

/** `a += b; d = (d ^ a) <<< bits` */
function chachaMix(a: number, b: number, d: number, bits: number, temporary: number): number[] {
  return sequence(
    local.set(word(a), i32x4.add(local.get(word(a)), local.get(word(b)))),
    local.set(temporary, v128.xor(local.get(word(d)), local.get(word(a)))),
    local.set(word(d), turned(local.get(temporary), bits)),
  );
}

const chachaRound = (quarters: readonly Quarter[]): number[] =>
  inStep(quarters, [
    ([a, b, , d], temporary) => chachaMix(a, b, d, 16, temporary),
    ([, b, c, d], temporary) => chachaMix(c, d, b, 12, temporary),
    ([a, b, , d], temporary) => chachaMix(a, b, d, 8, temporary),
    ([, b, c, d], temporary) => chachaMix(c, d, b, 7, temporary),
  ]);

/** A column round, then a diagonal round. */
const CHACHA_ROUNDS: Code = sequence(
  chachaRound([[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]]),
  chachaRound([[0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]]),
);

/** 20 rounds on the words. */
const twentyRounds = (two: Code): number[] =>
  sequence(
    local.set(ROUNDS, i32.const(10)),
    repeatWhile(two, local.tee(ROUNDS, i32.sub(local.get(ROUNDS), i32.const(1)))),
  );

/** The word of the state, the same in all lanes; the counter's are one apart. */
const initial = (index: number, counter: number): number[] => {
  const all = v128.load32Splat(STATE, 4 * index);
  return index === counter ? i32x4.add(all, v128.const(0, 1, 2, 3)) : all;
};

/**
 * Xors the stream into the data. Vectors of four words of four blocks are turned into vectors of one
 * block each.
 */
function xorWords(first: number, counter: number): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = [0, 1, 2, 3].map((offset) => word(first + offset));
  const get = local.get;
  const low = [0, 4, 1, 5];
  const high = [2, 6, 3, 7];
  const blocks = [0, 1, 2, 3].map((block) =>
    i32x4.shuffle(
      get(spare(block & 2)),
      get(spare((block & 2) + 1)),
      (block & 1) === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7],
    )
  );
  return sequence(
    ...[a, b, c, d].map((index, offset) =>
      local.set(index, i32x4.add(get(index), initial(first + offset, counter)))
    ),
    local.set(spare(0), i32x4.shuffle(get(a), get(b), low)),
    local.set(spare(1), i32x4.shuffle(get(c), get(d), low)),
    local.set(spare(2), i32x4.shuffle(get(a), get(b), high)),
    local.set(spare(3), i32x4.shuffle(get(c), get(d), high)),
    ...blocks.map((stream, block) => {
      const offset = 64 * block + 4 * first;
      return v128.store(get(DATA), offset, v128.xor(v128.load(get(DATA), offset), stream));
    }),
  );
}

const LOCALS: readonly number[] = [TYPE.i32, ...Array.from({ length: 20 }, () => TYPE.v128)];

/** Parameters: the state (16 words), the data, its end. The state's counter moves on. */
function xorStream(two: Code, counter: number): WasmFunctionCode {
  const at = 4 * counter;
  const body = sequence(
    ...WORDS.map((index) => local.set(word(index), initial(index, counter))),
    twentyRounds(two),
    ...[0, 4, 8, 12].map((first) => xorWords(first, counter)),
    i32.store(STATE, at, i32.add(i32.load(STATE, at), i32.const(4))),
    local.set(DATA, i32.add(local.get(DATA), i32.const(STRIDE_BYTES))),
  );
  return {
    parameters: [TYPE.i32, TYPE.i32, TYPE.i32],
    locals: LOCALS,
    body: repeatWhile(body, i32.ltU(local.get(DATA), local.get(END))),
  };
}

/** The words of the state that make the key. */
const HSALSA_WORDS = [0, 5, 10, 15, 6, 7, 8, 9];

/** The functions, by name. */
export const STREAM_CIPHERS: Readonly<
  Record<"salsa20" | "hsalsa20" | "chacha20", WasmFunctionCode>
> = {
  /** Xors Salsa20's stream into the data: state, data, end. */
  salsa20: xorStream(SALSA_ROUNDS, 8),
  /** Xors ChaCha20's stream into the data: state, data, end. */
  chacha20: xorStream(CHACHA_ROUNDS, 12),
  /** Writes HSalsa20 of a state: state, the key's place, and nothing. */
  hsalsa20: {
    parameters: [TYPE.i32, TYPE.i32, TYPE.i32],
    locals: LOCALS,
    body: sequence(
      ...WORDS.map((index) => local.set(word(index), v128.load32Splat(STATE, 4 * index))),
      twentyRounds(SALSA_ROUNDS),
      ...HSALSA_WORDS.map((index, at) =>
        i32.store(local.get(DATA), 4 * at, i32x4.extractLane(local.get(word(index)), 0))
      ),
    ),
  },
};
