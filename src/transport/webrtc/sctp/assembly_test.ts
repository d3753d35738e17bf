import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Assembly } from "./assembly.ts";

Deno.test("messages come out as their fragments went in, untouched by later ones", () => {
  const message = fc.array(fc.uint8Array({ minLength: 1, maxLength: 9000 }), { maxLength: 5 });
  fc.assert(fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
    const assembly = new Assembly();
    const whole = messages.map((fragments) => {
      for (const fragment of fragments) assembly.append(fragment);
      const bytes = assembly.view().slice();
      assembly.clear();
      return bytes;
    });
    assertEquals(
      whole.map((bytes) => [...bytes]),
      messages.map((fragments) => fragments.flatMap((fragment) => [...fragment])),
    );
  }));
});

Deno.test("memory is used again, but for that of a message larger than any of ours", () => {
  const assembly = new Assembly();
  const fill = (bytes: number) => {
    for (let i = 0; i < bytes; i += 1000) assembly.append(new Uint8Array(1000));
  };
  fill(200_000);
  const { capacity } = assembly;
  assert(capacity < 300_000);
  assembly.clear();
  fill(200_000);
  assertEquals(assembly.capacity, capacity);
  fill(200_000);
  assembly.clear();
  assertEquals([assembly.capacity, assembly.length], [0, 0]);
});
