/**
 * The licenses of the packages that end up in the bundle.
 *
 * @module
 */
import type { Download } from "./programs.ts";
import { run } from "./subprocess.ts";

/** A package as it lies in the cache. */
export interface NpmPackage {
  /** Name, scope included. */
  readonly name: string;
  /** Its version. */
  readonly version: string;
  /** The folder of its files. */
  readonly localPath: string;
  /** What it imports, by name and version. */
  readonly dependencies: readonly string[];
}

/** What `deno info --json` says, as far as it is read. */
interface ModuleGraph {
  readonly modules: readonly { readonly npmPackage?: string }[];
  readonly npmPackages?: { readonly [spec: string]: NpmPackage };
}

/** The npm packages that the programs import, and those that these import. */
export async function importedPackages(
  { entry }: Pick<Download, "entry">,
): Promise<readonly NpmPackage[]> {
  const text = await run(Deno.execPath(), ["info", "--json", entry.href], {
    cwd: new URL(".", entry),
  });
  // It names every locked package, those of tests and tools too: only what is reached counts.
  const { modules, npmPackages = {} }: ModuleGraph = JSON.parse(text);
  const reached = new Map<string, NpmPackage>();
  const reach = (spec: string): void => {
    const found = npmPackages[spec];
    if (found === undefined || reached.has(spec)) return;
    reached.set(spec, found);
    found.dependencies.forEach(reach);
  };
  for (const { npmPackage } of modules) if (npmPackage !== undefined) reach(npmPackage);
  return [...reached.values()];
}

/** One text with the license of each npm package that the programs import, sorted by name. */
export async function thirdPartyLicenses(download: Pick<Download, "entry">): Promise<string> {
  const sections = await Promise.all((await importedPackages(download)).map(section));
  return sections.toSorted().join("\n");
}

async function section({ name, version, localPath }: NpmPackage): Promise<string> {
  const files = (await Array.fromAsync(Deno.readDir(localPath)))
    .filter(({ isFile, name }) => isFile && /^(licen[cs]e|copying|notice)\b/i.test(name))
    .map((file) => file.name)
    .toSorted();
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(`${localPath}/${file}`)));
  if (texts.length === 0) texts.push(await declaredLicense(localPath));
  const rule = "=".repeat(80);
  return `${rule}\n${name} ${version}\n${rule}\n\n${texts.map((t) => t.trim()).join("\n\n")}\n`;
}

/** What the package's manifest says, for the packages that carry no license text. */
async function declaredLicense(localPath: string): Promise<string> {
  const license = await licenseOf(localPath) ?? "not stated";
  return `License: ${license} (the package carries no license text)`;
}

/** The license that a package's manifest names, if it does. */
export async function licenseOf(localPath: string): Promise<string | undefined> {
  const { license } = JSON.parse(await Deno.readTextFile(`${localPath}/package.json`)) as {
    readonly license?: unknown;
  };
  return typeof license === "string" ? license : undefined;
}
