/**
 * What the handed-out file is made of, as a CycloneDX 1.6 document, from the lock file: the runtime
 * and every npm package that the programs import, with version, integrity and license.
 * `deno task sbom [FILE]` writes it (default: `dist/sbom.cdx.json`).
 *
 * @module
 */
import { dirname } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { importedPackages, licenseOf, type NpmPackage } from "./licenses.ts";
import { DOWNLOAD, REPOSITORY } from "./programs.ts";
import { DENO_VERSION, type PinnedPackage, TARGETS } from "./targets.ts";

/** A component of the document. */
export interface Component {
  /** CycloneDX's kind. */
  readonly type: "library" | "platform";
  /** Name of the package, scope included. */
  readonly name: string;
  /** Its version. */
  readonly version: string;
  /** Package URL (purl-spec). */
  readonly purl: string;
  /** Its tarball's digest. */
  readonly hashes: readonly [{ readonly alg: "SHA-512"; readonly content: string }];
  /** What its manifest says. */
  readonly licenses?: readonly [{ readonly expression: string }];
}

/** `@scope/name` as a package URL spells it. */
const purlOf = (name: string, version: string): string =>
  `pkg:npm/${name.replace("@", "%40")}@${version}`;

/**
 * The digest of an integrity string, in hex.
 *
 * @throws {Error} When it is not SHA-512.
 */
export function sha512Of(integrity: string): string {
  const base64 = /^sha512-([A-Za-z0-9+/]{86}==)$/.exec(integrity)?.[1];
  if (base64 === undefined) throw new Error(`not an integrity of SHA-512: ${integrity}`);
  return Uint8Array.fromBase64(base64).toHex();
}

function component(
  type: Component["type"],
  { name, version, integrity, license }: {
    readonly name: string;
    readonly version: string;
    readonly integrity: string;
    readonly license?: string | undefined;
  },
): Component {
  return {
    type,
    name,
    version,
    purl: purlOf(name, version),
    hashes: [{ alg: "SHA-512", content: sha512Of(integrity) }],
    ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
  };
}

function runtime({ spec, integrity }: PinnedPackage): Component {
  const at = spec.lastIndexOf("@");
  return component("platform", {
    name: spec.slice(0, at),
    version: spec.slice(at + 1),
    integrity,
    license: "MIT",
  });
}

/** The integrity of every locked npm package, by name and version. */
export async function lockedPackages(): Promise<ReadonlyMap<string, string>> {
  const lock: { readonly npm: { readonly [spec: string]: { readonly integrity: string } } } = JSON
    .parse(await Deno.readTextFile(new URL("deno.lock", REPOSITORY)));
  return new Map(Object.entries(lock.npm).map(([spec, { integrity }]) => [spec, integrity]));
}

async function library(
  { name, version, localPath }: NpmPackage,
  locked: ReadonlyMap<string, string>,
): Promise<Component> {
  const integrity = locked.get(`${name}@${version}`);
  if (integrity === undefined) throw new Error(`${name}@${version} is not in the lock file`);
  return component("library", { name, version, integrity, license: await licenseOf(localPath) });
}

/** The document, with neither time nor serial number: the same sources give the same bytes. */
export async function bom(): Promise<object> {
  const locked = await lockedPackages();
  const libraries = await Promise.all(
    (await importedPackages(DOWNLOAD)).map((one) => library(one, locked)),
  );
  const components = [...TARGETS.map((target) => runtime(target.runtime)), ...libraries]
    .toSorted((a, b) => a.purl < b.purl ? -1 : 1);
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        name: DOWNLOAD.name,
        version: manifest.version,
        licenses: [{ license: { id: manifest.license } }],
        description: `Runs on Deno ${DENO_VERSION}; each file holds the runtime of its platform.`,
      },
    },
    components,
  };
}

if (import.meta.main) {
  const [path = "dist/sbom.cdx.json"] = Deno.args;
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, `${JSON.stringify(await bom(), null, 2)}\n`);
}
