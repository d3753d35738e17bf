/**
 * The platforms that programs are built for, and the runtime of each.
 *
 * @module
 */

/** The version of Deno that programs are built with and run on. */
export const DENO_VERSION = "2.9.6";

/** A package of the npm registry, pinned by content. */
export interface PinnedPackage {
  /** Name and exact version, as `npm pack` takes it. */
  readonly spec: string;
  /** Subresource integrity of the tarball, as the registry publishes it. */
  readonly integrity: string;
}

/** A platform. */
export interface Target {
  /** Our name, `os-arch`. */
  readonly name: string;
  /** What `deno compile --target` calls it. */
  readonly triple: string;
  /** The package that holds the stock runtime. */
  readonly runtime: PinnedPackage;
  /** The runtime's file in that package, and in what is unpacked. */
  readonly executable: "deno" | "deno.exe";
}

/** The package that holds Deno's license; the runtimes' packages do not. */
export const DENO_PACKAGE: PinnedPackage = {
  spec: `deno@${DENO_VERSION}`,
  integrity:
    "sha512-cr16GxYiUeH1juNvFTMOxt99V5QRVmANfy5UsZvE5hjC6P/o4Op/MBbRhLeBOL8WJpV6tr9hb+Kjb1MW0nEoVg==",
};

/** Every platform. */
export const TARGETS: readonly Target[] = [
  {
    name: "linux-x64",
    triple: "x86_64-unknown-linux-gnu",
    runtime: {
      spec: `@deno/linux-x64-glibc@${DENO_VERSION}`,
      integrity:
        "sha512-3md4TKLCuzsLDmfOoC5KN7NAZaxSVkMgm64vg6foD00JBADCpYS2/5QqXfzgnP5ZQz3iLP9vBQJtEgc116OAoQ==",
    },
    executable: "deno",
  },
  {
    name: "linux-arm64",
    triple: "aarch64-unknown-linux-gnu",
    runtime: {
      spec: `@deno/linux-arm64-glibc@${DENO_VERSION}`,
      integrity:
        "sha512-poqhoH9B3nYloigEMPT5t8HY+wBeiuea1An5Q7fqgJzP0SYmWsoS/oUnWO/pEiA4ofzIBy1Elt/in58xKtxEoQ==",
    },
    executable: "deno",
  },
  {
    name: "darwin-x64",
    triple: "x86_64-apple-darwin",
    runtime: {
      spec: `@deno/darwin-x64@${DENO_VERSION}`,
      integrity:
        "sha512-tPi3CWPRdjW1MaWlvWjORE7Ass5SADdWdj1BF1Q1PEdzi+5u/mC5YhmZzniMiPr81PpaFeqjXaLAsfb8lFsZ0Q==",
    },
    executable: "deno",
  },
  {
    name: "darwin-arm64",
    triple: "aarch64-apple-darwin",
    runtime: {
      spec: `@deno/darwin-arm64@${DENO_VERSION}`,
      integrity:
        "sha512-V8uO1Aolrl/yvdMb5lOtgtigs8YuZBjrOrgviVMiYkQ0swymFfzkae1wZak4Xi24t7vf7d/eiMb/7ryjjVm+tg==",
    },
    executable: "deno",
  },
  {
    name: "windows-x64",
    triple: "x86_64-pc-windows-msvc",
    runtime: {
      spec: `@deno/win32-x64@${DENO_VERSION}`,
      integrity:
        "sha512-qRGnmVz/Ea6UWPht/S3xFRK17UZ/ls38DSVfgGB17fpASLxPkksqzWUI/BzL9YYoOknYzfc94mySGyInZu/JXw==",
    },
    executable: "deno.exe",
  },
  {
    name: "windows-arm64",
    triple: "aarch64-pc-windows-msvc",
    runtime: {
      spec: `@deno/win32-arm64@${DENO_VERSION}`,
      integrity:
        "sha512-iHSHs89g2Uy6k0bGHmXkgzTIW8WXImYPpvqRRO/zNsK1/N79PcjvAth1TuQatuIALcLdocstPs/PAYtndbfr0A==",
    },
    executable: "deno.exe",
  },
];

/**
 * The platform this process runs on.
 *
 * @throws {Error} When it is none of {@linkcode TARGETS}.
 */
export function hostTarget(): Target {
  const target = TARGETS.find(({ triple }) => triple === Deno.build.target);
  if (target === undefined) throw new Error(`nothing is built for ${Deno.build.target}`);
  return target;
}
