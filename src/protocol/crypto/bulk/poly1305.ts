/**
 * Poly1305 (RFC 8439, section 2.5) as WebAssembly, in limbs of 26 bits: a product of two, five times,
 * fits 64 bits. No branch and no address depends on key or data.
 *
 * ```text
 * state   r0..r4 | h0..h4      i64 each: the clamped key, and the sum so far
 * key     r (16) | s (16)      as it came
 * ```
 *
 * @module
 */
import { type Code, i32, i64, local, repeatWhile, sequence, TYPE } from "./wasm_code.ts";
import type { WasmFunctionCode } from "./wasm_code.ts";

/** Bytes of a state. */
export const POLY1305_STATE_BYTES = 80;
/** Bytes of a block. */
export const POLY1305_BLOCK_BYTES = 16;

/** The bit beyond a block of 16 bytes, in its last limb. */
export const WHOLE_BLOCK: number = 2 ** 24;

const LIMBS = [0, 1, 2, 3, 4];
const BITS = 26;
const MASK = 2 ** BITS - 1;

const STATE = local.get(0);
const get = local.get;
const bits = (value: Code, mask = MASK): number[] => i64.and(value, i64.const(mask));
const shifted = (value: Code, by: number): number[] => i64.shrU(value, i64.const(by));

/** The limbs of 16 bytes at an address. */
const limbsAt = (address: Code): readonly Code[] => [
  bits(i64.load32U(address, 0)),
  bits(shifted(i64.load32U(address, 3), 2)),
  bits(shifted(i64.load32U(address, 6), 4)),
  shifted(i64.load32U(address, 9), 6),
  shifted(i64.load32U(address, 12), 8),
];

/** What clamping leaves of each limb of r. */
const CLAMP = [0x3ffffff, 0x3ffff03, 0x3ffc0ff, 0x3f03fff, 0x00fffff];

/** Parameters: the state, the key. Starts a sum. */
const start: WasmFunctionCode = {
  parameters: [TYPE.i32, TYPE.i32, TYPE.i32],
  locals: [],
  body: sequence(
    ...limbsAt(get(1)).map((limb, index) => i64.store(STATE, 8 * index, bits(limb, CLAMP[index]))),
    ...LIMBS.map((index) => i64.store(STATE, 40 + 8 * index, i64.const(0))),
  ),
};

/**
 * Parameters: the state, the first block, the end, and {@linkcode WHOLE_BLOCK}, or 0 for a block that
 * holds the mark of its end itself.
 */
function blocks(): WasmFunctionCode {
  const [AT, END, HIGH] = [1, 2, 3];
  const r = (index: number) => 4 + index;
  const h = (index: number) => 9 + index;
  /** 5 r, for what passes 2^130. */
  const s = (index: number) => 13 + index;
  const d = (index: number) => 18 + index;
  const [l0 = [], l1 = [], l2 = [], l3 = [], l4 = []] = limbsAt(get(AT));
  const limbs = [l0, l1, l2, l3, i64.or(l4, i64.extendI32U(get(HIGH)))];
  /** One limb of h times r. */
  const product = (to: number): number[] =>
    LIMBS.map((from): number[] =>
      i64.mul(get(h(from)), get(from <= to ? r(to - from) : s(5 + to - from)))
    ).reduce((sum, one) => i64.add(sum, one));
  const add = (index: number, value: Code) => local.set(index, i64.add(get(index), value));
  return {
    parameters: [TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i32],
    locals: Array.from({ length: 19 }, () => TYPE.i64),
    body: sequence(
      ...LIMBS.flatMap((index) => [
        local.set(r(index), i64.load(STATE, 8 * index)),
        local.set(h(index), i64.load(STATE, 40 + 8 * index)),
      ]),
      ...[1, 2, 3, 4].map((index) => local.set(s(index), i64.mul(get(r(index)), i64.const(5)))),
      repeatWhile(
        sequence(
          ...limbs.map((limb, index) => add(h(index), limb)),
          ...LIMBS.map((index) => local.set(d(index), product(index))),
          ...[0, 1, 2, 3].map((index) => add(d(index + 1), shifted(get(d(index)), BITS))),
          ...LIMBS.map((index) => local.set(h(index), bits(get(d(index))))),
          add(h(0), i64.mul(shifted(get(d(4)), BITS), i64.const(5))),
          add(h(1), shifted(get(h(0)), BITS)),
          local.set(h(0), bits(get(h(0)))),
          local.set(AT, i32.add(get(AT), i32.const(POLY1305_BLOCK_BYTES))),
        ),
        i32.ltU(get(AT), get(END)),
      ),
      ...LIMBS.map((index) => i64.store(STATE, 40 + 8 * index, get(h(index)))),
    ),
  };
}

/** Parameters: the state, the key, the tag's place. */
function finish(): WasmFunctionCode {
  const [KEY, TAG] = [1, 2];
  const h = (index: number) => 3 + index;
  /** h - p, of which the sign says which of the two is the sum. */
  const g = (index: number) => 8 + index;
  const [SIGN, CARRY] = [13, 14];
  const add = (index: number, value: Code) => local.set(index, i64.add(get(index), value));
  const carry = (of: (index: number) => number, from: number, to: number, times = 1) =>
    sequence(
      add(of(to), i64.mul(shifted(get(of(from)), BITS), i64.const(times))),
      local.set(of(from), bits(get(of(from)))),
    );
  /** 32 bits of the sum out of two limbs. */
  const sum32 = (index: number): number[] => {
    const low = index === 0 ? get(h(0)) : shifted(get(h(index)), 6 * index);
    const high = i64.shl(get(h(index + 1)), i64.const(BITS - 6 * index));
    return bits(i64.or(low, high), 2 ** 32 - 1);
  };
  const around = [
    ...[1, 2, 3].map((index) => carry(h, index, index + 1)),
    carry(h, 4, 0, 5),
    carry(h, 0, 1),
  ];
  return {
    parameters: [TYPE.i32, TYPE.i32, TYPE.i32],
    locals: Array.from({ length: 12 }, () => TYPE.i64),
    body: sequence(
      ...LIMBS.map((index) => local.set(h(index), i64.load(STATE, 40 + 8 * index))),
      // Twice: the first time round may leave a bit too many in one limb.
      ...[...around, ...around],
      // g = h + 5 - 2^130
      local.set(g(0), i64.add(get(h(0)), i64.const(5))),
      ...[1, 2, 3, 4].map((index) => local.set(g(index), get(h(index)))),
      ...[0, 1, 2, 3].map((index) => carry(g, index, index + 1)),
      add(g(4), i64.const(-(2 ** BITS))),
      // All ones where g is negative: h it is.
      local.set(SIGN, i64.sub(i64.const(0), shifted(get(g(4)), 63))),
      ...LIMBS.map((index) =>
        local.set(
          h(index),
          i64.xor(
            get(g(index)),
            i64.and(i64.xor(get(h(index)), get(g(index))), get(SIGN)),
          ),
        )
      ),
      local.set(CARRY, i64.const(0)),
      ...[0, 1, 2, 3].map((index) =>
        sequence(
          add(CARRY, i64.add(sum32(index), i64.load32U(get(KEY), 16 + 4 * index))),
          i64.store32(get(TAG), 4 * index, get(CARRY)),
          local.set(CARRY, shifted(get(CARRY), 32)),
        )
      ),
    ),
  };
}

/** The functions, by name. */
export const POLY1305: Readonly<
  Record<"poly1305Start" | "poly1305Blocks" | "poly1305Finish", WasmFunctionCode>
> = {
  poly1305Start: start,
  poly1305Blocks: blocks(),
  poly1305Finish: finish(),
};
