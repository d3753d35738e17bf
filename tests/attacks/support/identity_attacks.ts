/**
 * Attacks on the proof of identity by a rendezvous server, each with what must become of it.
 *
 * @module
 */
import type { PublicKey } from "../../../src/protocol/crypto/keys.ts";
import { KeyPair } from "../../../src/protocol/crypto/keys.ts";
import { PublicValue } from "../../../src/protocol/crypto/public_value.ts";
import type { RandomSource } from "../../../src/protocol/crypto/random_source.ts";
import { commitmentTo } from "../../../src/protocol/identity/proven_identity.ts";
import type { Connector } from "../../../src/transport/connector.ts";
import type { Payload, Relayed, Tamper } from "./hostile_relay.ts";
import {
  type Attack,
  type Ends,
  type Forged,
  type Heard,
  ManInTheMiddle,
  type OpenedHello,
  type Told,
} from "./man_in_the_middle.ts";
import type { Role } from "../../../src/protocol/signal/bundle.ts";

/** What an attacker has to work with. */
export interface Scene {
  /** Makes connections of his. */
  readonly connector: Connector;
  /** His dice. */
  readonly random: RandomSource;
  /** Who the victims are: everybody knows. */
  readonly identities: { readonly [victim in Role]: PublicKey<"identity"> };
  /** What he has recorded of earlier meetings. */
  readonly recorded: Recorded;
}

/** What an attacker has recorded. */
export interface Recorded {
  /** `data` of an offer. */
  offer?: Payload;
  /** `data` of an answer. */
  answer?: Payload;
  /** Frames with a HELLO, of each victim. */
  readonly hellos: { [victim in Role]?: string };
}

/** An attack that goes on. */
export interface Begun {
  /** What the relay does. */
  readonly tamper: Tamper;
  /** Set when he ends the connections himself. */
  readonly middle?: ManInTheMiddle;
}

/** One attack. */
export interface IdentityAttack {
  /** What it is, in words. */
  readonly what: string;
  /** What must become of the meeting. */
  readonly result: "arrived" | "refused";
  /**
   * The check, or the code, by which one victim at least refuses it.
   * @default {no session comes about, whatever the reason}
   */
  readonly by?: string | undefined;
  /** Means something over WebRTC only. @default {false} */
  readonly needsWebRtc?: boolean;
  /** Begins it, for one meeting. */
  begin(scene: Scene): Begun;
}

const VICTIMS = ["offerer", "answerer"] as const;
const otherOf = (victim: Role): Role => victim === "offerer" ? "answerer" : "offerer";

/** Keys that he has made for one victim. */
interface OwnKeys {
  readonly identity: KeyPair<"identity">;
  readonly ephemeral: KeyPair<"ephemeral">;
  readonly nonce: PublicValue<"session-nonce">;
}

function newKeys(random: RandomSource): OwnKeys {
  return {
    identity: KeyPair.generate("identity", random),
    ephemeral: KeyPair.generate("ephemeral", random),
    nonce: new PublicValue("session-nonce", random(32)),
  };
}

/** What a victim is told of his commitment. */
export const COMMITS = ["own", "claimed", "relayed", "stripped", "random"] as const;
/** What a victim gets for a HELLO; those of the second list need no keys of his own. */
export const FORGED_HELLOS = [
  "own identity, proven",
  "claimed identity, proven by another key",
  "claimed identity, no proof",
  "claimed identity, as an old peer",
  "claimed identity, proof and nonce of the other session",
  "own identity, proof of the other role",
  "own identity, proof of noise",
] as const;
/** See {@linkcode FORGED_HELLOS}. */
export const CARRIED_HELLOS = ["relayed", "delayed", "reflected", "recorded", "dropped"] as const;

/** How one victim is deceived. */
export interface Deceit {
  /** Which ephemeral key it is told. */
  readonly keys: "own" | "relayed";
  readonly commits: typeof COMMITS[number];
  readonly hello: typeof FORGED_HELLOS[number] | typeof CARRIED_HELLOS[number];
  /** Of the session description over WebRTC. @default {his own certificate only} */
  readonly fingerprint?: "theirs" | "theirs, then his" | "his, then theirs";
}

/** He ends both connections, and deceives each victim in its way. */
export function deceive(
  scene: Scene,
  deceits: { readonly [victim in Role]: Deceit },
): ManInTheMiddle {
  const { random, connector, identities } = scene;
  const keys = { offerer: newKeys(random), answerer: newKeys(random) };
  const attack: Attack = {
    tell(victim) {
      const { keys: which, commits, fingerprint } = deceits[victim];
      return {
        ...(which === "own" ? { ephemeral: keys[victim].ephemeral } : {}),
        ...commitmentOf(commits, keys[victim], identities[otherOf(victim)], random),
        ...(fingerprint === undefined ? {} : { sdp: fingerprints(fingerprint) }),
      };
    },
    async act(ends) {
      // Each victim says HELLO as soon as it is connected: he knows both before he says a word.
      const [offerer, answerer] = await Promise.all(
        VICTIMS.map((victim) => ends[victim].heardHello),
      );
      const heard = { offerer, answerer };
      for (const victim of VICTIMS) scene.recorded.hellos[victim] ??= heard[victim] ?? "";
      await Promise.all(
        VICTIMS.map((victim) =>
          deceiveOne(ends, victim, deceits[victim], keys[victim], heard, scene)
        ),
      );
    },
  };
  return new ManInTheMiddle({ connector, attack, random });
}

function commitmentOf(
  commits: Deceit["commits"],
  { identity, ephemeral, nonce }: OwnKeys,
  claimed: PublicKey<"identity">,
  random: RandomSource,
): Pick<Told, "commitment"> {
  switch (commits) {
    case "own":
      return { commitment: commitmentTo(identity.publicKey, ephemeral.publicKey, nonce) };
    case "claimed":
      return { commitment: commitmentTo(claimed, ephemeral.publicKey, nonce) };
    case "random":
      return { commitment: new PublicValue("commitment", random(32)) };
    case "stripped":
      return { commitment: null };
    case "relayed":
      return {};
  }
}

async function deceiveOne(
  ends: Ends,
  victim: Role,
  { hello, keys: which, commits }: Deceit,
  keys: OwnKeys,
  heard: { readonly [victim in Role]: string | undefined },
  { identities, recorded, random }: Scene,
): Promise<void> {
  const [end, other] = [ends[victim], ends[otherOf(victim)]];
  const fromOther = heard[otherOf(victim)] ?? "";
  switch (hello) {
    case "dropped":
      return await end.hangUp();
    case "relayed":
      other.passOnTo(end);
      await end.say(fromOther);
      await other.over;
      return await end.hangUp();
    case "delayed":
      // The other victim has judged its HELLO, and has said what it has to say.
      await other.over;
      return await end.say(fromOther);
    case "reflected":
      return await end.say(heard[victim] ?? "");
    case "recorded":
      return await end.say(recorded.hellos[otherOf(victim)] ?? fromOther);
    default: {
      if (which === "relayed") return await end.hangUp(); // he can seal nothing
      const opened = other.open(heard[otherOf(victim)]);
      const claimed = identities[otherOf(victim)];
      const forged = forgedHello(hello, keys, claimed, { opened, frame: fromOther, random });
      const lists = commits === "stripped" ? { lists: false } : {};
      await end.say(end.hello({ ...forged, ...lists }));
      return await end.offerForgedFile();
    }
  }
}

function forgedHello(
  hello: typeof FORGED_HELLOS[number],
  { identity, nonce }: OwnKeys,
  claimed: PublicKey<"identity">,
  other: {
    readonly opened: OpenedHello | undefined;
    readonly frame: string;
    readonly random: RandomSource;
  },
): Forged {
  const { publicKey: own, secretKey } = identity;
  switch (hello) {
    case "own identity, proven":
      return { identity: own, nonce, proof: secretKey };
    case "claimed identity, proven by another key":
      return { identity: claimed, nonce, proof: secretKey };
    case "claimed identity, no proof":
      return { identity: claimed, nonce };
    case "claimed identity, as an old peer":
      return { identity: claimed, lists: false };
    case "claimed identity, proof and nonce of the other session": {
      const theirs = PublicValue.parse("session-nonce", other.opened?.sessionNonce) ?? nonce;
      const { identityProof = "" } = other.frame === "" ? {} : JSON.parse(other.frame);
      return { identity: claimed, nonce: theirs, proof: String(identityProof) };
    }
    case "own identity, proof of the other role":
      return { identity: own, nonce, proof: secretKey, provesOtherRole: true };
    case "own identity, proof of noise":
      return {
        identity: own,
        nonce,
        proof: new PublicValue("identity-proof", other.random(32)).base64,
      };
  }
}

/** Fingerprint lines of a session description of his: his own, theirs, or both. */
const fingerprints =
  (which: NonNullable<Deceit["fingerprint"]>) => (his: string, theirs: string): string => {
    const line = /a=fingerprint:[^\r\n]*\r?\n/;
    const [ours = "", foreign = ""] = [his, theirs].map((sdp) => line.exec(sdp)?.[0] ?? "");
    const lines = {
      "theirs": foreign,
      "theirs, then his": foreign + ours,
      "his, then theirs": ours + foreign,
    };
    return his.replace(line, lines[which]);
  };

const refused = (
  what: string,
  by: string | undefined,
  begin: IdentityAttack["begin"],
  needsWebRtc = false,
): IdentityAttack => ({ what, result: "refused", by, needsWebRtc, begin });

/** An attack by a man in the middle who deceives both victims in one way, or each in its own. */
const middle = (
  what: string,
  by: string | undefined,
  deceits: Deceit | { readonly [victim in Role]: Deceit },
  needsWebRtc = false,
): IdentityAttack =>
  refused(what, by, (scene) => {
    const both = "keys" in deceits ? { offerer: deceits, answerer: deceits } : deceits;
    const man = deceive(scene, both);
    return { tamper: man.tamper, middle: man };
  }, needsWebRtc);

/** Impostors: against a sender, against auto-accept, and against a code that is known. */
export const IMPOSTORS: readonly IdentityAttack[] = [
  middle("an impostor under a known code proves a key of his own", "KEY_MISMATCH", {
    keys: "own",
    commits: "own",
    hello: "own identity, proven",
  }),
  middle("an impostor commits to the known identity and proves another key", "proof", {
    keys: "own",
    commits: "claimed",
    hello: "claimed identity, proven by another key",
  }),
  middle("an impostor commits to the known identity and proves nothing", "encoding", {
    keys: "own",
    commits: "claimed",
    hello: "claimed identity, no proof",
  }),
  middle("a proof of noise", "proof", {
    keys: "own",
    commits: "own",
    hello: "own identity, proof of noise",
  }),
];

/** Fields of the proof that are taken away: in the signal, in HELLO, first or later. */
export const STRIPPED_FIELDS: readonly IdentityAttack[] = [
  middle("the commitment is stripped and the known identity is only claimed", "expectation", {
    keys: "own",
    commits: "stripped",
    hello: "claimed identity, as an old peer",
  }),
  middle("the capability is taken back after a commitment", "extension", {
    keys: "own",
    commits: "claimed",
    hello: "claimed identity, as an old peer",
  }),
  middle("an old peer is played to one side only", "expectation", {
    offerer: { keys: "own", commits: "stripped", hello: "claimed identity, as an old peer" },
    answerer: {
      keys: "own",
      commits: "claimed",
      hello: "claimed identity, proven by another key",
    },
  }),
];

/** An identity, or what belongs to it, is taken from another session, side or role. */
export const TAKEN_FROM_ELSEWHERE: readonly IdentityAttack[] = [
  middle(
    "identity, nonce and proof are taken from the session with the other victim, commitment too",
    "commitment",
    {
      keys: "own",
      commits: "relayed",
      hello: "claimed identity, proof and nonce of the other session",
    },
  ),
  middle(
    "the nonce of the other session is put in the place of the one that was committed to",
    "commitment",
    {
      keys: "own",
      commits: "claimed",
      hello: "claimed identity, proof and nonce of the other session",
    },
  ),
  middle("a proof of the other role", "proof", {
    keys: "own",
    commits: "own",
    hello: "own identity, proof of the other role",
  }),
  middle("a commitment to nothing", "commitment", {
    keys: "own",
    commits: "random",
    hello: "own identity, proven",
  }),
];

/** He keeps his own HELLO back. */
export const SILENT: readonly IdentityAttack[] = [
  middle("he hears both HELLOs, knows both codes, and hangs up", undefined, {
    keys: "own",
    commits: "own",
    hello: "dropped",
  }),
];

const carried = (hello: typeof CARRIED_HELLOS[number]): Deceit => ({
  keys: "relayed",
  commits: "relayed",
  hello,
});

/** The man in the middle who leaves keys and commitments alone and ends DTLS on both sides. */
export const RELAYED_HELLOS: readonly IdentityAttack[] = [
  middle("HELLOs are relayed between two connections of his", "proof", carried("relayed")),
  middle("one HELLO is relayed, the other delayed until it was judged", "proof", {
    offerer: carried("relayed"),
    answerer: carried("delayed"),
  }),
  middle("each HELLO is reflected to whoever said it", "PROTOCOL_VIOLATION", carried("reflected")),
  middle("one HELLO is relayed, the other dropped", "proof", {
    offerer: carried("relayed"),
    answerer: carried("dropped"),
  }),
  middle("HELLOs of an earlier session are replayed", "HELLO_DECRYPT_FAIL", carried("recorded")),
];

/** Changes the descriptions of one kind on their way. */
const changing = (
  kinds: readonly ("offer" | "answer")[],
  change: (data: Payload, kind: "offer" | "answer", scene: Scene) => void,
) =>
(scene: Scene): Begun => ({
  tamper: (signal) => {
    const payload = structuredClone(signal.payload);
    const { type, data } = payload;
    if ((type === "offer" || type === "answer") && kinds.includes(type)) change(data, type, scene);
    return [{ ...signal, payload }];
  },
});

/** He ends DTLS, and his SDP has the fingerprint of the other, or a second one beside it. */
export const APPENDED_FINGERPRINTS: readonly IdentityAttack[] = [
  ...([
    ["theirs", undefined],
    ["theirs, then his", "proof"],
    ["his, then theirs", "proof"],
  ] as const).map(([fingerprint, by]) =>
    middle(`DTLS is ended with fingerprints in the SDP: ${fingerprint}`, by, {
      ...carried("relayed"),
      fingerprint,
    }, true)
  ),
  {
    what: "a second fingerprint is appended on its way, and he does not end DTLS",
    result: "arrived",
    needsWebRtc: true,
    begin: changing(["offer", "answer"], (data, kind, scene) => {
      const bytes = [...scene.random(32)].map((byte) => byte.toString(16).padStart(2, "0"));
      const line = `a=fingerprint:sha-256 ${bytes.join(":").toUpperCase()}\r\n`;
      data[kind].sdp = data[kind].sdp.replace("a=fingerprint:", `${line}a=fingerprint:`);
    }),
  },
];

const KINDS: readonly (readonly [string, readonly ("offer" | "answer")[]])[] = [
  ["of the offer", ["offer"]],
  ["of the answer", ["answer"]],
  ["of both", ["offer", "answer"]],
];

const random32 = (scene: Scene): string => scene.random(32).toBase64();

function flipFingerprint(sdp: string): string {
  return sdp.replace(
    /(fingerprint:sha-256 )(..)/,
    (_, head: string, byte: string) => head + (byte === "5A" ? "A5" : "5A"),
  );
}

/** What a relay does to the descriptions on their way. */
export const CHANGED_SIGNALS: readonly IdentityAttack[] = [
  ...KINDS.flatMap(([which, kinds]) => [
    refused(
      `the commitment ${which} is stripped`,
      "extension",
      changing(kinds, (data) => {
        delete data.commitment;
      }),
    ),
    refused(
      `the commitment ${which} is exchanged`,
      "commitment",
      changing(kinds, (data, _, scene) => {
        data.commitment = random32(scene);
      }),
    ),
    refused(
      `the key ${which} is exchanged`,
      "HELLO_DECRYPT_FAIL",
      changing(kinds, (data, _, scene) => {
        data.publicKey = KeyPair.generate("ephemeral", scene.random).publicKey.base64;
      }),
    ),
  ]),
  refused("the offer's commitment comes back in the answer", "PROTOCOL_VIOLATION", () => {
    let commitment: unknown;
    return {
      tamper: ({ payload, ...route }) => {
        if (payload.type === "offer") commitment = payload.data.commitment;
        if (payload.type !== "answer") return [{ ...route, payload }];
        return [{ ...route, payload: { ...payload, data: { ...payload.data, commitment } } }];
      },
    };
  }),
];

/** Descriptions of an earlier meeting, sent again. */
export const REPLAYED_SIGNALS: readonly IdentityAttack[] = [
  ...(["offer", "answer"] as const).map((kind) =>
    refused(
      `the ${kind} of an earlier meeting is replayed`,
      undefined,
      ({ recorded }) => ({
        tamper: ({ payload, ...route }) => [{
          ...route,
          payload: payload.type === kind ? { ...payload, data: recorded[kind] } : payload,
        }],
      }),
      true,
    )
  ),
];

/** Fingerprints are exchanged on their way, without an end of his. */
export const CHANGED_FINGERPRINTS: readonly IdentityAttack[] = KINDS.map(([which, kinds]) =>
  refused(
    `a byte of the fingerprint ${which} is exchanged`,
    undefined,
    changing(kinds, (data, kind) => {
      data[kind].sdp = flipFingerprint(data[kind].sdp);
    }),
    true,
  )
);

/** What a relay may do in vain: the file arrives. */
export const HARMLESS: readonly IdentityAttack[] = [
  { what: "nothing", result: "arrived", begin: () => ({ tamper: (signal) => [signal] }) },
  {
    what: "signals come twice, and between others of strangers",
    result: "arrived",
    begin: () => ({
      tamper: (signal) => [
        { ...signal, from: "eve" },
        { ...signal, payload: { ...signal.payload, from: "eve" } },
        signal,
        signal,
      ],
    }),
  },
  {
    what: "a second description with a commitment of his comes after the first",
    result: "arrived",
    begin: (scene) => ({
      tamper: (signal) => {
        if (signal.payload.msg_type !== undefined) return [signal];
        const payload = structuredClone(signal.payload);
        payload.data.commitment = random32(scene);
        return [signal, { ...signal, payload }];
      },
    }),
  },
];

/** He ends both connections and deceives each victim in one way, chosen by the dice. */
export function anyDeceit(dice: (below: number) => number): IdentityAttack {
  const choose = <T>(all: readonly [T, ...T[]] | readonly T[]): T => {
    const chosen = all[dice(all.length)];
    if (chosen === undefined) throw new Error("unreachable: there is something to choose from");
    return chosen;
  };
  const deceit = (): Deceit => {
    const keys = choose(["own", "relayed"] as const);
    const hellos = keys === "own" ? [...FORGED_HELLOS, ...CARRIED_HELLOS] : CARRIED_HELLOS;
    return { keys, commits: choose(COMMITS), hello: choose(hellos) };
  };
  const deceits = { offerer: deceit(), answerer: deceit() };
  return middle(JSON.stringify(deceits), undefined, deceits);
}

/** Records descriptions as they pass. */
export function recording(recorded: Recorded, tamper: Tamper): Tamper {
  return (signal: Relayed) => {
    const { type, data }: { type?: unknown; data?: Payload } = signal.payload;
    if (type === "offer" || type === "answer") recorded[type] ??= structuredClone(data);
    return tamper(signal);
  };
}

export type { Heard };
