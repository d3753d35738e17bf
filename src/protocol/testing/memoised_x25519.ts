/**
 * X25519 remembered by its inputs, for tests only: thousands of sessions between the same few keys
 * need not compute the same pure function thousands of times.
 *
 * @module
 */
import nacl from "tweetnacl";

/** Until disposed of, tweetnacl's X25519 looks its results up where it has been asked before. */
export function memoisedX25519(): Disposable {
  const { scalarMult, box: { before } } = nacl;
  const memo = new Map<string, Uint8Array>();
  const remember = (f: (a: Uint8Array, b: Uint8Array) => Uint8Array, name: string) =>
  (
    a: Uint8Array,
    b: Uint8Array,
  ): Uint8Array => {
    const key = `${name}${a.toHex()}${b.toHex()}`;
    const known = memo.get(key) ?? f(a, b);
    memo.set(key, known);
    return known.slice();
  };
  const base = remember((a) => scalarMult.base(a), "base");
  const faster = Object.assign(remember(scalarMult, "dh"), {
    ...scalarMult,
    base: (a: Uint8Array) => base(a, new Uint8Array()),
  });
  Reflect.set(nacl, "scalarMult", faster);
  Reflect.set(nacl.box, "before", remember(before, "box"));
  return {
    [Symbol.dispose]() {
      Reflect.set(nacl, "scalarMult", scalarMult);
      Reflect.set(nacl.box, "before", before);
    },
  };
}
