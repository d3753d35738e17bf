/**
 * Cuts connections at bytes of their handshake, one after another.
 *
 * @module
 */
import { CipherContext, RTCCertificate } from "werift";
import { connectCut, type Cut, type CutOutcome, NOWHERE } from "./cut_connections.ts";
import { seededRandom } from "./loss.ts";

let made: Promise<RTCCertificate> | undefined;
/** Made once: it is what costs most. */
function certificate(): Promise<RTCCertificate> {
  return made ??= CipherContext
    .createSelfSignedCertificateWithKey({ hash: 4, signature: 3 }, 23)
    .then(({ certPem, keyPem, signatureHash }) =>
      new RTCCertificate(keyPem, certPem, signatureHash)
    );
}

/** Bytes of a connection until its channel is open and has carried a message each way. */
export async function wholeHandshake(listening: Cut["listening"]): Promise<CutOutcome["bytes"]> {
  const cut = { listening, transport: "tcp", by: "reset", from: "connecting" } as const;
  const { bytes } = await connectCut({ ...cut, after: NOWHERE }, await certificate());
  return { ...bytes };
}

/**
 * Cuts after every `stride`th byte of who connects, then of who listens, from the first on.
 *
 * @param seed Which byte of each stride.
 * @param atOnce Pairs of peers at a time.
 */
export async function cutAtBytes(
  cut: Pick<Cut, "listening" | "transport" | "by">,
  whole: CutOutcome["bytes"],
  stride: number,
  seed: number,
  atOnce = 1,
): Promise<CutOutcome[]> {
  const random = seededRandom(seed);
  const cuts: Cut[] = [];
  for (const from of ["connecting", "listening"] as const) {
    for (let at = 0; at < whole[from]; at += stride) {
      const after = at + (at === 0 ? 0 : Math.floor(random() * stride));
      cuts.push({ ...cut, from, after });
    }
  }
  const outcomes: CutOutcome[] = [];
  let next = 0;
  const inTurn = async () => {
    for (let one = cuts[next]; one !== undefined; one = cuts[next]) {
      const at = next++;
      outcomes[at] = await connectCut(one, await certificate());
    }
  };
  await Promise.all(Array.from({ length: atOnce }, inTurn));
  return outcomes;
}
