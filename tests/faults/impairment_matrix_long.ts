/**
 * The whole ladder of bad networks, on loopback and, where a test may make network namespaces,
 * between hosts. Part of `deno task test:faults`; `-- --write` puts the table into docs/TESTING.md.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { canMakeNamespaces } from "../support/network_namespace.ts";
import { fromFileUrl } from "../support/paths.ts";
import { climbAll, type Climbed } from "./ladder.ts";
import { machine, publish, tableOf } from "./results.ts";
import { ThreeHosts } from "./three_hosts.ts";

/** By a process in the host between the two. */
async function climbBetweenHosts(): Promise<readonly Climbed[]> {
  await using hosts = await ThreeHosts.make();
  const script = fromFileUrl(new URL("./ladder_between_hosts.ts", import.meta.url));
  const { command, args } = hosts.middle.inside({
    command: Deno.execPath(),
    args: ["run", "--no-prompt", "-A", script, hosts.one.name, hosts.two.name],
  });
  const climbing = new Deno.Command(command, { args: [...args], stderr: "inherit" });
  const { code, stdout } = await climbing.output();
  assertEquals(code, 0);
  return JSON.parse(new TextDecoder().decode(stdout));
}

const cells = (climbed: Climbed | undefined): string[] => {
  if (climbed === undefined) return ["", "", ""];
  const { seconds, lostOnTheWay, result, text } = climbed;
  const lost = lostOnTheWay === undefined ? "" : (lostOnTheWay * 100).toFixed(1);
  return [seconds?.toFixed(1) ?? "", lost, result === "lost" ? "LOST" : text];
};

Deno.test("each transfer of the ladder arrives whole, or ends on both sides with a named error", async () => {
  const onLoopback = await climbAll();
  const betweenHosts = await canMakeNamespaces() ? await climbBetweenHosts() : [];
  const all = [...onLoopback, ...betweenHosts];
  const count = (result: Climbed["result"]) => all.filter((one) => one.result === result).length;
  const figures = ["seconds", "lost, %", "result"];
  const rows = onLoopback.map((climbed) => [
    climbed.name,
    ...cells(climbed),
    ...cells(betweenHosts.find(({ name }) => name === climbed.name)),
  ]);
  const text = `### The ladder

${machine()}. Two daemons, a relay between them, 200 kB a file (2 MB where the network changes
under way). First both on loopback, then ("hosts") each in a network namespace of its own, the relay
in a third one with a cable to each. ${all.length} transfers: ${count("arrived")} arrived whole,
${count("ended")} ended on both sides with a named error, ${count("lost")} lost.

${tableOf([["network", ...figures, ...figures.map((figure) => `hosts: ${figure}`)], ...rows])}`;
  await publish({ mark: "ladder", document: "TESTING.md", title: "Testing" }, text);
  assertEquals(all.filter(({ result }) => result === "lost"), []);
});
