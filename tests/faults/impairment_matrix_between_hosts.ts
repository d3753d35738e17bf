/**
 * Runs the impairment matrix in the middle one of {@linkcode ThreeHosts}, as a process there. The
 * results go to standard output as JSON. The arguments are the names of the outer hosts.
 *
 * @module
 */
import { inNamespace } from "../support/network_namespace.ts";
import { DAEMON } from "../support/program.ts";
import { runMatrix } from "./impairment_matrix.ts";
import { say } from "./results.ts";
import { betweenHosts } from "./three_hosts.ts";

const [one = "", two = ""] = Deno.args;
const programs = { alice: inNamespace(one, DAEMON), bob: inNamespace(two, DAEMON) };
await say(JSON.stringify(await runMatrix({ ...programs, standing: betweenHosts })));
