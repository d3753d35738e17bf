import { assertEquals } from "@std/assert";
import { whyChosen } from "./chosen_way.ts";

Deno.test("the log says why a connection goes by UDP or by TCP, where only one was allowed too", () => {
  const ours = { isTcpOffered: true, isControlling: true };
  const theirs = { isTcpOffered: true, isControlling: false };
  const none = { isTcpOffered: false, isControlling: true };
  const reasons = [
    whyChosen({ allowed: "udp", transport: "udp", ...none }),
    whyChosen({ allowed: "tcp", transport: "tcp", ...theirs }),
    whyChosen({ allowed: "auto", transport: "udp", ...none }),
    whyChosen({ allowed: "auto", transport: "udp", ...theirs }),
    whyChosen({ allowed: "auto", transport: "tcp", ...ours }),
    whyChosen({ allowed: "auto", transport: "udp", ...ours }),
  ];
  assertEquals(reasons, [
    "only UDP may carry it here",
    "only TCP may carry it here",
    "the peer offers no TCP",
    "the peer has chosen it",
    "it costs less than UDP, and was there in time",
    "no TCP connection was there in time: a firewall may forbid it",
  ]);
});
