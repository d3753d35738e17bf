/**
 * The licenses of the packages that end up in the bundle.
 *
 * @module
 */
import type { Download } from "./programs.ts";
import { run } from "./subprocess.ts";

interface NpmPackage {
  readonly name: string;
  readonly version: string;
  readonly localPath: string;
}

/** One text with the license of each npm package that the programs import, sorted by name. */
export async function thirdPartyLicenses({ entry }: Pick<Download, "entry">): Promise<string> {
  const text = await run(Deno.execPath(), ["info", "--json", entry.href], {
    cwd: new URL(".", entry),
  });
  const { npmPackages } = JSON.parse(text) as { npmPackages?: Record<string, NpmPackage> };
  const sections = await Promise.all(Object.values(npmPackages ?? {}).map(section));
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
  const manifest = JSON.parse(await Deno.readTextFile(`${localPath}/package.json`));
  return `License: ${manifest.license ?? "not stated"} (the package carries no license text)`;
}
