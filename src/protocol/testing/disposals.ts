/**
 * Which keys are zeroed, for tests only.
 *
 * @module
 */
import { SecretKey } from "../crypto/keys.ts";

/** The purposes of the keys that `act` zeroes, in order, each as often as a key was first zeroed. */
export function zeroedBy(act: () => unknown): string[] {
  const zeroed: string[] = [];
  const original = SecretKey.prototype[Symbol.dispose];
  SecretKey.prototype[Symbol.dispose] = function () {
    if (!this.spent) zeroed.push(this.purpose);
    original.call(this);
  };
  try {
    act();
  } finally {
    SecretKey.prototype[Symbol.dispose] = original;
  }
  return zeroed;
}
