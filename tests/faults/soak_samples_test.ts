import { assert, assertEquals } from "@std/assert";
import { sampleProcess, slopePerHour } from "./soak_samples.ts";

Deno.test("a slope is what a line climbs in an hour, and noise around it does not matter", () => {
  const line = Array.from({ length: 100 }, (_, i) => [i * 1000, 5 + i * 2] as const);
  assertEquals(Math.round(slopePerHour(line)), 7200);
  const noisy = line.map(([ms], i) => [ms, 5 + (i % 2 === 0 ? 1 : -1)] as const);
  assert(Math.abs(slopePerHour(noisy)) < 5);
  assertEquals(slopePerHour([[0, 3]]), 0);
});

Deno.test({
  name: "a sample sees a file that is opened, and that it is closed again",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const path = await Deno.makeTempFile();
    const before = await sampleProcess(Deno.pid, 0);
    const held = await Promise.all(Array.from({ length: 20 }, () => Deno.open(path)));
    const during = await sampleProcess(Deno.pid, 1);
    for (const file of held) file.close();
    const after = await sampleProcess(Deno.pid, 2);
    await Deno.remove(path);
    assert(during.files >= before.files + 15, `${before.files}, then ${during.files}`);
    assert(after.files <= during.files - 15, `${during.files}, then ${after.files}`);
    assert(before.rssBytes > 1e6 && before.threads > 0);
  },
});
