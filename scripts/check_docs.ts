/**
 * Lints the documentation of every export: `deno doc --lint` over all modules at once, so that types
 * of one module are known in the others.
 *
 * One kind of finding is let pass: in `src/transport/webrtc/`, which wraps the WebRTC library, the
 * library's own types count as private because they come from npm.
 *
 * @module
 */

const REPOSITORY = new URL("../", import.meta.url);

async function* modulesIn(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, REPOSITORY))) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* modulesIn(path);
    else if (name.endsWith(".ts") && !name.endsWith("_test.ts")) yield path;
  }
}

/** The findings in the lint's output that count. */
function findingsIn(output: string): string[] {
  return output.split(/\n(?=error)/).filter((finding) => {
    const isOfLibrary = /^error\[private-type-ref\][\s\S]*-->.*transport\/webrtc\//.test(finding);
    return /^error\[/.test(finding) && !isOfLibrary;
  });
}

const say = (text: string): Promise<number> =>
  Deno.stderr.write(new TextEncoder().encode(text + "\n"));

if (import.meta.main) {
  const modules = await Array.fromAsync(modulesIn("src"));
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", "--quiet", ...modules],
    cwd: REPOSITORY,
    env: { NO_COLOR: "1" },
  }).output();
  const output = new TextDecoder().decode(stderr);
  const findings = findingsIn(output);
  for (const finding of findings) await say(finding);
  const ran = success || output.includes("documentation lint error");
  if (!ran) await say(output);
  await say(`Documentation of ${modules.length} modules: ${findings.length} findings`);
  if (!ran || findings.length > 0) Deno.exit(1);
}
