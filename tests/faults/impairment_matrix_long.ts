/**
 * The whole impairment matrix, on loopback and, where a test may make network namespaces,
 * between hosts. Part of `deno task test:faults`; `-- --write` puts the table into docs/TESTING.md.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { canMakeNamespaces } from "../support/network_namespace.ts";
import { fromFileUrl } from "../support/paths.ts";
import { type CaseResult, runMatrix } from "./impairment_matrix.ts";
import { machine, publish, tableOf } from "./results.ts";
import { ThreeHosts } from "./three_hosts.ts";

/** By a process in the host between the two. */
async function runBetweenHosts(): Promise<readonly CaseResult[]> {
  await using hosts = await ThreeHosts.make();
  const script = fromFileUrl(new URL("./impairment_matrix_between_hosts.ts", import.meta.url));
  const { command, args } = hosts.middle.inside({
    command: Deno.execPath(),
    args: ["run", "--no-prompt", "-A", script, hosts.one.name, hosts.two.name],
  });
  const running = new Deno.Command(command, { args: [...args], stderr: "inherit" });
  const { code, stdout } = await running.output();
  assertEquals(code, 0);
  return JSON.parse(new TextDecoder().decode(stdout));
}

const cells = (one: CaseResult | undefined): string[] => {
  if (one === undefined) return ["", "", ""];
  const { seconds, lostOnTheWay, result, text } = one;
  const lost = lostOnTheWay === undefined ? "" : (lostOnTheWay * 100).toFixed(1);
  return [seconds?.toFixed(1) ?? "", lost, result === "lost" ? "LOST" : text];
};

Deno.test("each transfer of the impairment matrix arrives whole, or ends on both sides with a named error", async () => {
  const onLoopback = await runMatrix();
  const betweenHosts = await canMakeNamespaces() ? await runBetweenHosts() : [];
  const all = [...onLoopback, ...betweenHosts];
  const count = (result: CaseResult["result"]) => all.filter((one) => one.result === result).length;
  const figures = ["seconds", "lost, %", "result"];
  const rows = onLoopback.map((one) => [
    one.name,
    ...cells(one),
    ...cells(betweenHosts.find(({ name }) => name === one.name)),
  ]);
  const text = `### Impaired networks

${machine()}. Two daemons, a relay between them, 200 kB a file (2 MB where the network changes
under way). First both on loopback, then ("hosts") each in a network namespace of its own, the relay
in a third one with a cable to each. ${all.length} transfers: ${count("arrived")} arrived whole,
${count("ended")} ended on both sides with a named error, ${count("lost")} lost.

${tableOf([["network", ...figures, ...figures.map((figure) => `hosts: ${figure}`)], ...rows])}`;
  await publish({ mark: "impairment matrix", document: "TESTING.md", title: "Testing" }, text);
  assertEquals(all.filter(({ result }) => result === "lost"), []);
});
