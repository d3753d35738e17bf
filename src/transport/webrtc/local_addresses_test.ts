import { assertEquals } from "@std/assert";
import { judgeLocalAddresses, MAX_LOCAL_ADDRESSES } from "./local_addresses.ts";

const of = (...addresses: string[]) => addresses.map((address) => ({ address }));

Deno.test("only addresses inside the scope are used, each once, loopback last", () => {
  const interfaces = of("127.0.0.1", "10.0.0.5", "8.8.8.8", "100.64.0.1", "10.0.0.5", "::1");
  assertEquals(judgeLocalAddresses(interfaces, "lan"), [
    { address: "10.0.0.5", accepted: true, reason: "" },
    { address: "8.8.8.8", accepted: false, reason: "public-outside-lan" },
    { address: "100.64.0.1", accepted: false, reason: "cgnat-outside-lan" },
    { address: "127.0.0.1", accepted: true, reason: "" },
    { address: "::1", accepted: true, reason: "" },
  ]);
});

Deno.test("loopback is in every scope, so that two on one machine can always meet", () => {
  for (const scope of ["lan", "overlay", "global"] as const) {
    const judged = judgeLocalAddresses(of("127.0.0.1", "203.0.113.9"), scope);
    assertEquals(judged.find(({ address }) => address === "127.0.0.1")?.accepted, true);
  }
});

Deno.test("of many addresses only so many are used, loopback among them", () => {
  const many = Array.from({ length: 50 }, (_, i) => `10.0.0.${i}`);
  const judged = judgeLocalAddresses(of(...many, "127.0.0.1"), "lan");
  const accepted = judged.filter(({ accepted }) => accepted);
  assertEquals(accepted.length, MAX_LOCAL_ADDRESSES);
  assertEquals(accepted.at(-1)?.address, "127.0.0.1");
  assertEquals(judged.find(({ accepted }) => !accepted)?.reason, "too-many-addresses");
});
