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
    "sha512-Jt/AcJiErtUW9krGwlwUDsm1coNtmfthiQ4JtSCF+JNkqohbeiJoRVkCr4FA4WQstyHuSJaON6PHCin0UCtlLg==",
};

/** Every platform. */
export const TARGETS: readonly Target[] = [
  {
    name: "linux-x64",
    triple: "x86_64-unknown-linux-gnu",
    runtime: {
      spec: `@deno/linux-x64-glibc@${DENO_VERSION}`,
      integrity:
        "sha512-TDqcnoLe3jlgqYEQm7H7MK6q0JOth+o8iSZzknRODnVkJfPiNnjVn1M1Zc6vnp+ipkyb6Av1/CUlHgHtlq59Gw==",
    },
    executable: "deno",
  },
  {
    name: "linux-arm64",
    triple: "aarch64-unknown-linux-gnu",
    runtime: {
      spec: `@deno/linux-arm64-glibc@${DENO_VERSION}`,
      integrity:
        "sha512-IuYjsz9PGl7CJcNXMuN27KNDB8Q40brK3SG3l+TXMDVW61ZKwcn0fQHBHnXFiiygEwI8by/fKnASEluhZB1atw==",
    },
    executable: "deno",
  },
  {
    name: "darwin-x64",
    triple: "x86_64-apple-darwin",
    runtime: {
      spec: `@deno/darwin-x64@${DENO_VERSION}`,
      integrity:
        "sha512-gbdlxWZuAZFiJiZtTT00Mv/aC7f/31+pyqJGQKlZr5X33WeTo5B0GG+efcX3P1UZceRKHuPEAQ1B/M2oRt8r9Q==",
    },
    executable: "deno",
  },
  {
    name: "darwin-arm64",
    triple: "aarch64-apple-darwin",
    runtime: {
      spec: `@deno/darwin-arm64@${DENO_VERSION}`,
      integrity:
        "sha512-SX98qSdBT1lw9x6NwGwx2xIayl1kRimdRnFohYlJ6nt3mLKzTKHHKQwQs5D2pEY7mbUGGbYe9brM2kfN75pPkg==",
    },
    executable: "deno",
  },
  {
    name: "windows-x64",
    triple: "x86_64-pc-windows-msvc",
    runtime: {
      spec: `@deno/win32-x64@${DENO_VERSION}`,
      integrity:
        "sha512-LkcERsH0olOgevg9L9eootSr1U8ydyfnX1bS3mFqU+lGBeTYtlec5b/QF473WUOGVgPlWECrkxi4As5kEaFOzg==",
    },
    executable: "deno.exe",
  },
  {
    name: "windows-arm64",
    triple: "aarch64-pc-windows-msvc",
    runtime: {
      spec: `@deno/win32-arm64@${DENO_VERSION}`,
      integrity:
        "sha512-tTPrE/4SX7uaC8nJW47iNnibtjzk1y4zoiYjBBHE34vdkbb6LHopqH68BxyT61HZdfqXzOTEYjDVHhtmVZFy+w==",
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
