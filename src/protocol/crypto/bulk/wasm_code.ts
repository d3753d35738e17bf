/**
 * WebAssembly, written instruction by instruction: as much of the binary format as the ciphers of
 * this folder need (WebAssembly Core Specification, chapter 5). Names are the specification's.
 *
 * An instruction's operands come first, as on the stack: `i32.add(a, b)` is `a b i32.add`.
 *
 * @module
 */

/** Instructions, encoded. */
export type Code = readonly number[];

/** Types of values. */
export const TYPE = { i32: 0x7f, i64: 0x7e, v128: 0x7b } as const;

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value;; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value;; rest = Math.floor(rest / 128)) {
    if (rest >= -64 && rest < 64) return [...bytes, rest & 0x7f];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** One after the other. */
export const sequence = (...codes: readonly Code[]): number[] => codes.flat();

const plain = (opcode: number) => (...operands: readonly Code[]): number[] => [
  ...sequence(...operands),
  opcode,
];

const vector = (opcode: number) => (...operands: readonly Code[]): number[] => [
  ...sequence(...operands),
  0xfd,
  ...unsigned(opcode),
];

/** An access to memory at an address and a constant offset; no alignment is promised. */
const access = (...opcode: readonly number[]) => (address: Code, offset = 0): number[] => [
  ...address,
  ...opcode,
  0,
  ...unsigned(offset),
];

const store = (...opcode: readonly number[]) => (address: Code, offset: number, value: Code) => [
  ...address,
  ...value,
  ...opcode,
  0,
  ...unsigned(offset),
];

/** Instructions on locals. */
export const local = {
  get: (index: number): number[] => [0x20, ...unsigned(index)],
  set: (index: number, value: Code): number[] => [...value, 0x21, ...unsigned(index)],
  tee: (index: number, value: Code): number[] => [...value, 0x22, ...unsigned(index)],
} as const;

/** Instructions on 32 bits. */
export const i32 = {
  const: (value: number): number[] => [0x41, ...signed(value)],
  add: plain(0x6a),
  sub: plain(0x6b),
  ltU: plain(0x49),
  load: access(0x28),
  store: store(0x36),
} as const;

/** Instructions on 64 bits. */
export const i64 = {
  const: (value: number): number[] => [0x42, ...signed(value)],
  add: plain(0x7c),
  sub: plain(0x7d),
  mul: plain(0x7e),
  and: plain(0x83),
  or: plain(0x84),
  xor: plain(0x85),
  shl: plain(0x86),
  shrU: plain(0x88),
  extendI32U: plain(0xad),
  load: access(0x29),
  load32U: access(0x35),
  store: store(0x37),
  store32: store(0x3e),
} as const;

/** Instructions on vectors of 16 bytes, as whole and as four lanes of 32 bits. */
export const v128 = {
  load: access(0xfd, 0),
  load32Splat: access(0xfd, 9),
  store: store(0xfd, 11),
  const: (...lanes: readonly number[]): number[] => [
    0xfd,
    12,
    ...lanes.flatMap((lane) => [lane & 255, lane >>> 8 & 255, lane >>> 16 & 255, lane >>> 24]),
  ],
  or: vector(80),
  xor: vector(81),
  /** Bytes of `a` (0 to 15) and `b` (16 to 31) in a new order. */
  shuffleBytes: (a: Code, b: Code, bytes: readonly number[]): number[] => [
    ...a,
    ...b,
    0xfd,
    13,
    ...bytes,
  ],
} as const;

/** Instructions on four lanes of 32 bits. */
export const i32x4 = {
  add: vector(174),
  shl: vector(171),
  shrU: vector(173),
  extractLane: (value: Code, lane: number): number[] => [...value, 0xfd, 27, lane],
  /** Lanes of `a` (0 to 3) and `b` (4 to 7) in a new order. */
  shuffle: (a: Code, b: Code, lanes: readonly number[]): number[] =>
    v128.shuffleBytes(a, b, lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte))),
} as const;

/** Runs the body, and again while the condition, computed after it, is not 0. */
export const repeatWhile = (body: Code, condition: Code): number[] => [
  0x03, // loop
  0x40, // without a result
  ...body,
  ...condition,
  0x0d, // br_if
  0,
  0x0b, // end
];

/** A function without a result. */
export interface WasmFunctionCode {
  /** Types of its parameters, which are its first locals. */
  readonly parameters: readonly number[];
  /** Types of its other locals. */
  readonly locals: readonly number[];
  /** What it does. */
  readonly body: Code;
}

/**
 * A module with a memory of its own, `memory`, and functions, all exported by their names.
 *
 * @param functions By name; ASCII.
 * @param pages Of the memory, 64 KiB each; it does not grow.
 */
export function wasmModule(
  functions: Readonly<Record<string, WasmFunctionCode>>,
  pages: number,
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(functions);
  const name = (text: string) => [...unsigned(text.length), ...new TextEncoder().encode(text)];
  const list = (items: readonly Code[]) => [...unsigned(items.length), ...sequence(...items)];
  const section = (id: number, content: Code) => [id, ...unsigned(content.length), ...content];
  const types = entries.map(([, { parameters }]) => [0x60, ...list(parameters.map((p) => [p])), 0]);
  const bodies = entries.map(([, { locals, body }]) => {
    const code = [...list(locals.map((type) => [1, type])), ...body, 0x0b];
    return [...unsigned(code.length), ...code];
  });
  const exported = entries.map(([text], index) => [...name(text), 0, ...unsigned(index)]);
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // magic and version
    ...section(1, list(types)),
    ...section(3, list(entries.map((_, index) => unsigned(index)))),
    ...section(5, [1, 1, ...unsigned(pages), ...unsigned(pages)]),
    ...section(7, list([[...name("memory"), 2, 0], ...exported])),
    ...section(10, list(bodies)),
  ]);
}
