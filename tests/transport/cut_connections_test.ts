/** A reset, or a close, at any byte of a connection's handshake: the short form. */
import { assert, assertEquals } from "@std/assert";
import { cutAtBytes, wholeHandshake } from "./cut_at_bytes.ts";

for (const listening of ["offerer", "answerer"] as const) {
  for (const by of ["reset", "close"] as const) {
    for (const transport of ["tcp", "auto"] as const) {
      Deno.test(`a ${by} at bytes of the handshake (${transport}, the ${listening} listens) ends in a channel or a plain failure, and leaves no socket`, async () => {
        const whole = await wholeHandshake(listening);
        // Cookies, hellos, certificates and proofs, both ways.
        assert(whole.connecting > 1000 && whole.listening > 1000);
        const outcomes = await cutAtBytes({ listening, transport, by }, whole, 97, 20_251);
        const results = outcomes.map(({ result }) => result);
        // The first bytes are of checks: another connection is made, or UDP is taken.
        assertEquals(results[0], "alive");
        assert(results.includes("ended"), "after the choice the connection is the path");
      });
    }
  }
}
