/**
 * Device names: what peers call themselves. Hostile text that names nobody; only its length is held.
 *
 * @module
 */

/** The longest device name that is kept, in UTF-16 units; the rendezvous server's limit is 256 bytes. */
export const MAX_DEVICE_NAME = 256;

/** As much of a device name as is kept. */
export function cutDeviceName(name: string): string {
  return name.slice(0, MAX_DEVICE_NAME);
}
