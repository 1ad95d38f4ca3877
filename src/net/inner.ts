/** The network behind the gateway, packet by packet. */

/** Octets are the receiver's only during the call. */
export type InnerNetwork = {
  readonly name: string;
  readonly mtu: number;
  /** One IP packet for the inside. False: it could not be taken; it is lost and counted. */
  send(octets: Uint8Array, at: number, length: number): boolean;
  counters(): Readonly<Record<string, number>>;
  close(): Promise<void>;
};
