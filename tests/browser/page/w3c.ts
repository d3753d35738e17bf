/**
 * What a browser gives a page, as far as the page uses it.
 *
 * @module
 */

/** `RTCDataChannel`. */
export interface DataChannel {
  binaryType: string;
  readonly readyState: string;
  readonly bufferedAmount: number;
  bufferedAmountLowThreshold: number;
  onopen: (() => void) | null;
  onclose: (() => void) | null;
  onmessage: ((event: { readonly data: string }) => void) | null;
  onbufferedamountlow: (() => void) | null;
  send(text: string): void;
  close(): void;
}

/** `RTCSessionDescriptionInit`. */
export interface Description {
  readonly type: "offer" | "answer";
  readonly sdp: string;
}

/** `RTCIceCandidateInit`. */
export interface CandidateInit {
  readonly candidate: string;
  readonly sdpMid?: string | null;
  readonly sdpMLineIndex?: number | null;
  readonly usernameFragment?: string | null;
}

/** `RTCPeerConnection`. */
export interface PeerConnection {
  readonly iceGatheringState: string;
  onicecandidate:
    | ((event: { readonly candidate: { toJSON(): CandidateInit } | null }) => void)
    | null;
  onconnectionstatechange: (() => void) | null;
  readonly connectionState: string;
  ondatachannel: ((event: { readonly channel: DataChannel }) => void) | null;
  createDataChannel(label: string, options: { readonly ordered: boolean }): DataChannel;
  createOffer(): Promise<Description>;
  createAnswer(): Promise<Description>;
  setLocalDescription(description: Description): Promise<void>;
  setRemoteDescription(description: Description): Promise<void>;
  addIceCandidate(candidate: CandidateInit): Promise<void>;
  close(): void;
}

declare const RTCPeerConnection: new (
  configuration: { readonly iceCandidatePoolSize?: number },
) => PeerConnection;

/** Makes a connection that asks no server. */
export function newConnection(poolSize: number): PeerConnection {
  return new RTCPeerConnection({ iceCandidatePoolSize: poolSize });
}
