/**
 * A reset, and a close, at each byte of a connection's handshake: the long form. Part of
 * `deno task test:faults`; `STRIDE` in the environment leaves bytes out.
 *
 * @module
 */
import { cutAtBytes, wholeHandshake } from "./cut_at_bytes.ts";

/** They mostly wait. */
const AT_ONCE = 12;
const STRIDE = Number(Deno.env.get("STRIDE") ?? 1);

for (const listening of ["offerer", "answerer"] as const) {
  for (const by of ["reset", "close"] as const) {
    Deno.test(`a ${by} at each byte of the handshake (the ${listening} listens) ends in a channel or a plain failure, and leaves no socket`, async () => {
      const whole = await wholeHandshake(listening);
      for (const transport of ["tcp", "auto"] as const) {
        const outcomes = await cutAtBytes({ listening, transport, by }, whole, STRIDE, 1, AT_ONCE);
        const alive = outcomes.filter(({ result }) => result === "alive").length;
        const line = `${by}, ${listening}, ${transport}: ${outcomes.length} cuts, ${alive} alive\n`;
        Deno.stderr.writeSync(new TextEncoder().encode(line));
      }
    });
  }
}
