/**
 * Syncthing: two instances that know each other's address and nothing else.
 *
 * @module
 */
import { unlessMissing } from "../../../src/base/system_error.ts";
import { join } from "../../../tests/support/paths.ts";
import { TempFolder } from "../../../tests/support/temp_folder.ts";
import { checkArrived } from "../daemon_pair.ts";
import { cpuOfTreeSeconds, PeakWatch } from "./process_tree.ts";
import { freePort, listening, Program, runProgram, until } from "./programs.ts";
import { figuresOf, onlyFile, type Tool } from "./tool.ts";

const PROGRAM = "syncthing";
const API_KEY = "bench";
const ENV = { STNOUPGRADE: "1", STNODEFAULTFOLDER: "1" };

/** A file that appears in a folder that two instances keep the same. */
export const SYNCTHING: Tool = {
  name: "Syncthing",
  programs: [PROGRAM],
  carry: async (files, signal) => {
    const { path, name } = onlyFile(files);
    await using folder = await TempFolder.make();
    const one = await Instance.make(folder.path("one"), signal);
    const two = await Instance.make(folder.path("two"), signal);
    await one.configure(two);
    await two.configure(one);
    await using first = one.start();
    await using second = two.start();
    await Promise.all([one, two].map(({ apiPort }) => listening(apiPort, signal)));
    await until(() => one.isConnectedTo(two), signal);
    await Deno.copyFile(path, join(one.folder, name));
    const pids = [first.pid, second.pid];
    const cpuOf = async () =>
      (await Promise.all(pids.map(cpuOfTreeSeconds))).reduce((sum, seconds) => sum + seconds, 0);
    await using watch = new PeakWatch(pids);
    const before = await cpuOf();
    const began = performance.now();
    await one.post("/rest/db/scan?folder=bench");
    // It has its name once it is whole.
    await until(
      async () => await unlessMissing(Deno.stat(join(two.folder, name))) !== undefined,
      signal,
    );
    const seconds = (performance.now() - began) / 1000;
    const cpuSeconds = await cpuOf() - before;
    await checkArrived(two.folder, files);
    return figuresOf(files.bytes, { seconds, cpuSeconds, peakMib: watch.mib });
  },
};

/** One of the two. */
class Instance {
  readonly folder: string;
  readonly apiPort = freePort();
  readonly #home: string;
  readonly #port = freePort();
  readonly #device: string;

  private constructor(home: string, device: string) {
    this.#home = home;
    this.folder = join(home, "shared");
    this.#device = device;
  }

  /** Makes its keys and its folder. */
  static async make(home: string, signal: AbortSignal): Promise<Instance> {
    const args = ["generate", "--no-default-folder", "--skip-port-probing", `--home=${home}`];
    await runProgram(PROGRAM, args, signal);
    const config = await Deno.readTextFile(join(home, "config.xml"));
    const device = /<device id="([A-Z0-9-]+)"/.exec(config)?.[1];
    if (device === undefined) throw new Error("Syncthing has made no device");
    const instance = new Instance(home, device);
    // Its mark of a folder that is there.
    await Deno.mkdir(join(instance.folder, ".stfolder"), { recursive: true });
    return instance;
  }

  /** Tells it the other one, and to speak to nobody else. */
  async configure(other: Instance): Promise<void> {
    const device = ({ id, address }: { id: string; address: string }) =>
      `<device id="${id}" compression="never"><address>${address}</address></device>`;
    await Deno.writeTextFile(
      join(this.#home, "config.xml"),
      `<configuration version="35">
  <folder id="bench" path="${this.folder}" type="sendreceive" rescanIntervalS="0" fsWatcherEnabled="false">
    <device id="${this.#device}"/><device id="${other.#device}"/>
  </folder>
  ${device({ id: this.#device, address: "dynamic" })}
  ${device({ id: other.#device, address: `tcp://127.0.0.1:${other.#port}` })}
  <gui enabled="true"><address>127.0.0.1:${this.apiPort}</address><apikey>${API_KEY}</apikey></gui>
  <options>
    <listenAddress>tcp://127.0.0.1:${this.#port}</listenAddress>
    <globalAnnounceEnabled>false</globalAnnounceEnabled>
    <localAnnounceEnabled>false</localAnnounceEnabled>
    <relaysEnabled>false</relaysEnabled>
    <natEnabled>false</natEnabled>
    <stunKeepaliveStartS>0</stunKeepaliveStartS>
    <startBrowser>false</startBrowser>
    <urAccepted>-1</urAccepted>
    <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
    <crashReportingEnabled>false</crashReportingEnabled>
    <reconnectionIntervalS>1</reconnectionIntervalS>
    <setLowPriority>false</setLowPriority>
  </options>
</configuration>
`,
    );
  }

  /** Starts it. */
  start(): Program {
    return new Program(PROGRAM, ["serve", "--no-browser", `--home=${this.#home}`], { env: ENV });
  }

  /** Whether the other one is there. */
  async isConnectedTo(other: Instance): Promise<boolean> {
    const answer = await this.#call("GET", "/rest/system/connections");
    const { connections }: { connections?: Record<string, { connected?: boolean }> } = await answer
      .json();
    return connections?.[other.#device]?.connected === true;
  }

  /** Has it do something. */
  async post(path: string): Promise<void> {
    const answer = await this.#call("POST", path);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Syncthing refuses ${path}: ${text}`);
  }

  #call(method: string, path: string): Promise<Response> {
    const url = `http://127.0.0.1:${this.apiPort}${path}`;
    return fetch(url, { method, headers: { "x-api-key": API_KEY } });
  }
}
