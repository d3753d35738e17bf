/** How much is under way follows what the path needs: associations and send windows in virtual time. */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { SEND_WINDOW, SendWindow } from "../../send_window.ts";
import {
  VirtualAssociations,
  type VirtualAssociationsOptions,
} from "../../testing/virtual_associations.ts";
import { DeliveryMeter } from "./delivery_meter.ts";

const MESSAGE = new Uint8Array(64 * 1024).fill(5);
const RELIABLE = { isReliable: true, basePacket: 2 ** 14, largerPackets: [] };

/** A program that always has a message, and a channel's window before the association. */
class Flow {
  readonly link: VirtualAssociations;
  readonly window: SendWindow;
  most = 0;
  #delivered = 0;
  #stopped = false;

  constructor(options: VirtualAssociationsOptions, window = new SendWindow()) {
    this.link = new VirtualAssociations(options).connect();
    this.window = window;
    void this.#send();
  }

  async #send(): Promise<void> {
    while (!this.#stopped) {
      this.window.add(MESSAGE.length);
      this.most = Math.max(this.most, this.window.bytes);
      this.link.a.core.send({ isText: false, bytes: MESSAGE }, () => {
        this.window.fit(this.link.a.core.deliveredBytes);
        this.window.remove(MESSAGE.length);
        this.#delivered += MESSAGE.length;
      });
      await this.window.writable({});
    }
  }

  /** Bytes a second that were delivered in so many seconds. */
  async run(seconds: number): Promise<number> {
    const { link } = this;
    const [began, before] = [link.now, this.#delivered];
    const end = began + 1000 * seconds;
    while (link.now < end) {
      const seen = this.#delivered;
      link.run(end, () => this.#delivered !== seen);
      // Whoever waits for the window goes on.
      for (let i = 0; i < 10; i++) await Promise.resolve();
      // Memory of the test's own: packets that went are not looked at.
      link.a.sent.length = link.b.sent.length = link.b.received.length = 0;
    }
    return (this.#delivered - before) / seconds;
  }

  stop(): void {
    this.#stopped = true;
  }
}

for (const [name, core] of Object.entries({ "that loses nothing": RELIABLE, "of datagrams": {} })) {
  Deno.test(`at a round trip of 100 ms a path ${name} carries twice what a window of 512 KiB lets through`, async () => {
    const options = { delayMs: 50, bytesPerSecond: 40_000_000, core };
    const fixed = new Flow(
      options,
      new SendWindow({ high: SEND_WINDOW.high, low: SEND_WINDOW.low }),
    );
    const growing = new Flow(options);
    await fixed.run(5);
    await growing.run(5);
    const [before, now] = [await fixed.run(5), await growing.run(5)];
    assertGreater(now, 2 * before, `${now} in place of ${before} bytes a second`);
    assert(growing.most < SEND_WINDOW.most + MESSAGE.length, `${growing.most} bytes`);
  });

  Deno.test(`a path ${name} of a short round trip keeps the window that it began with`, async () => {
    const flow = new Flow({ delayMs: 1, bytesPerSecond: 10_000_000, core });
    await flow.run(3);
    assertEquals(flow.window.high, SEND_WINDOW.high);
  });
}

Deno.test("a path that gets slower gives the window back", async () => {
  let isSlow = false;
  let at = 0;
  // One packet of eight is lost: far less is delivered.
  const passes = () => !isSlow || at++ % 8 !== 0;
  const flow = new Flow({ delayMs: 50, bytesPerSecond: 40_000_000, passes });
  await flow.run(5);
  assertGreater(flow.window.high, 2 * SEND_WINDOW.high);
  isSlow = true;
  await flow.run(20);
  assertEquals(flow.window.high, SEND_WINDOW.high);
  flow.stop();
});

Deno.test("what is delivered counts by round trips, a pause in between for its part", () => {
  const meter = new DeliveryMeter();
  for (let now = 0; now <= 1000; now += 10) meter.onAcknowledged(10_000, now, 100);
  assertEquals(meter.bytes, 100_000);
  meter.onAcknowledged(10_000, 2000, 100);
  assertLess(meter.bytes, 2_000);
});
