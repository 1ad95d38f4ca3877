/**
 * Notify payload (RFC 7296 §3.10), after the generic payload header. A new notify type is one line in `bodies`.
 *
 *   |  Protocol ID  |   SPI Size    |      Notify Message Type      |
 *   ~                Security Parameter Index (SPI)                 ~
 *   ~                       Notification Data                       ~
 */
import { type Codec, type Decoded, Malformed, NO_OCTETS, nothing, octets, type Sized, u8, u16, u16s, u32 } from './bytes.ts';
import { limits } from './limits.ts';

const LEAST_STATUS = 16384; // below are errors
const PRIVATE_ERRORS = 8192;
const PRIVATE_STATUS = 40960;

const bodies = {
  UNSUPPORTED_CRITICAL_PAYLOAD: [1, u8],
  INVALID_IKE_SPI: [4, nothing],
  INVALID_MAJOR_VERSION: [5, nothing],
  INVALID_SYNTAX: [7, nothing],
  INVALID_MESSAGE_ID: [9, octets(4, 4)],
  INVALID_SPI: [11, octets()],
  NO_PROPOSAL_CHOSEN: [14, nothing],
  INVALID_KE_PAYLOAD: [17, u16],
  AUTHENTICATION_FAILED: [24, nothing],
  SINGLE_PAIR_REQUIRED: [34, nothing],
  NO_ADDITIONAL_SAS: [35, nothing],
  INTERNAL_ADDRESS_FAILURE: [36, nothing],
  FAILED_CP_REQUIRED: [37, nothing],
  TS_UNACCEPTABLE: [38, nothing],
  INVALID_SELECTORS: [39, octets()],
  UNACCEPTABLE_ADDRESSES: [40, nothing], // RFC 4555
  UNEXPECTED_NAT_DETECTED: [41, nothing],
  TEMPORARY_FAILURE: [43, nothing],
  CHILD_SA_NOT_FOUND: [44, nothing],
  INITIAL_CONTACT: [16384, nothing],
  SET_WINDOW_SIZE: [16385, u32],
  ADDITIONAL_TS_POSSIBLE: [16386, nothing],
  IPCOMP_SUPPORTED: [16387, octets()],
  NAT_DETECTION_SOURCE_IP: [16388, octets(20, 20)], // §2.23: SHA-1
  NAT_DETECTION_DESTINATION_IP: [16389, octets(20, 20)],
  COOKIE: [16390, octets(1, 64)], // §2.6
  USE_TRANSPORT_MODE: [16391, nothing],
  HTTP_CERT_LOOKUP_SUPPORTED: [16392, nothing],
  REKEY_SA: [16393, nothing],
  ESP_TFC_PADDING_NOT_SUPPORTED: [16394, nothing],
  NON_FIRST_FRAGMENTS_ALSO: [16395, nothing],
  MOBIKE_SUPPORTED: [16396, nothing], // RFC 4555
  ADDITIONAL_IP4_ADDRESS: [16397, octets(4, 4)],
  ADDITIONAL_IP6_ADDRESS: [16398, octets(16, 16)],
  NO_ADDITIONAL_ADDRESSES: [16399, nothing],
  UPDATE_SA_ADDRESSES: [16400, nothing],
  COOKIE2: [16401, octets(8, 64)],
  NO_NATS_ALLOWED: [16402, octets()],
  AUTH_LIFETIME: [16403, octets(4, 4)], // RFC 4478
  MULTIPLE_AUTH_SUPPORTED: [16404, nothing], // RFC 4739
  ANOTHER_AUTH_FOLLOWS: [16405, nothing],
  REDIRECT_SUPPORTED: [16406, nothing], // RFC 5685
  REDIRECT: [16407, octets()],
  REDIRECTED_FROM: [16408, octets()],
  TICKET_LT_OPAQUE: [16409, octets()], // RFC 5723
  TICKET_REQUEST: [16410, nothing],
  TICKET_ACK: [16411, nothing],
  TICKET_NACK: [16412, nothing],
  TICKET_OPAQUE: [16413, octets()],
  LINK_ID: [16414, octets()],
  USE_WESP_MODE: [16415, octets()],
  ROHC_SUPPORTED: [16416, octets()],
  EAP_ONLY_AUTHENTICATION: [16417, nothing], // RFC 5998
  CHILDLESS_IKEV2_SUPPORTED: [16418, nothing], // RFC 6023
  QUICK_CRASH_DETECTION: [16419, octets()], // RFC 6290
  IKEV2_MESSAGE_ID_SYNC_SUPPORTED: [16420, nothing], // RFC 6311
  IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED: [16421, nothing],
  IKEV2_MESSAGE_ID_SYNC: [16422, octets()],
  IPSEC_REPLAY_COUNTER_SYNC: [16423, octets()],
  SECURE_PASSWORD_METHODS: [16424, octets()], // RFC 6467
  PSK_PERSIST: [16425, octets()],
  PSK_CONFIRM: [16426, octets()],
  ERX_SUPPORTED: [16427, octets()],
  IFOM_CAPABILITY: [16428, octets()],
  SENDER_REQUEST_ID: [16429, octets()],
  IKEV2_FRAGMENTATION_SUPPORTED: [16430, nothing], // RFC 7383
  SIGNATURE_HASH_ALGORITHMS: [16431, u16s(limits.hashAlgorithms)], // RFC 7427
  CLONE_IKE_SA_SUPPORTED: [16432, nothing],
  CLONE_IKE_SA: [16433, nothing],
  PUZZLE: [16434, octets()], // RFC 8019
  USE_PPK: [16435, nothing], // RFC 8784
  PPK_IDENTITY: [16436, octets()],
  NO_PPK_AUTH: [16437, octets()],
  INTERMEDIATE_EXCHANGE_SUPPORTED: [16438, nothing], // RFC 9242
  IP4_ALLOWED: [16439, nothing], // RFC 8983
  IP6_ALLOWED: [16440, nothing],
  VPN_NETWORK_ID: [61520, u8], // the four of Fortinet: seen on the wire
  INTERFACE_ADDR4: [61689, octets(4, 4)],
  FORTICLIENT_CONNECT: [61696, octets()], // read by parseClientClaims
  EXCHANGE_INTF_IP: [61697, nothing],
} as const satisfies Record<string, readonly [type: number, body: Sized<unknown>]>;

export type NotifyName = keyof typeof bodies;
export type NotifyData<N extends NotifyName> = Decoded<(typeof bodies)[N][1]>;
/** which SA is spoken of: the protocol is 0 and the SPI empty when it is the IKE SA of the message */
export type NotifyTarget = { readonly protocol: number; readonly spi: Uint8Array };
type Common = NotifyTarget & { readonly kind: 'N' };
type Known = { [N in NotifyName]: Common & { readonly name: N; readonly data: NotifyData<N> } }[NotifyName];
type Unknown = Common & { readonly name: 'UNKNOWN'; readonly type: number; readonly data: Uint8Array };
export type Notify = Known | Unknown;

const NO_TARGET: NotifyTarget = { protocol: 0, spi: NO_OCTETS };
// Object.entries forgets that the keys are the names
const nameOf = new Map(Object.entries(bodies).map(([name, [type]]) => [type as number, name as NotifyName]));

/**
 * Unknown types are kept with their data: the exchange decides (§3.10.1). Data that does not fit its type is Malformed,
 * except for private types, where another vendor may mean something else by the number: those are kept as unknown.
 */
export const notifyCodec: Codec<Notify> = {
  read(r) {
    const protocol = r.u8();
    const spiSize = r.u8();
    const type = r.u16();
    const spi = r.take(spiSize);
    const name = nameOf.get(type);
    if (name === undefined) return { kind: 'N', name: 'UNKNOWN', type, protocol, spi, data: r.rest() };
    const body: Sized<unknown> = bodies[name][1];
    if (r.left < body.min || r.left > body.max) {
      if (isPrivate(type)) return { kind: 'N', name: 'UNKNOWN', type, protocol, spi, data: r.rest() };
      throw new Malformed(`${name} with ${r.left} octets of data`);
    }
    return { kind: 'N', name, protocol, spi, data: body.read(r) } as Known; // the table ties name to data
  },
  write(w, n) {
    w.u8(n.protocol).u8(n.spi.length).u16(notifyType(n)).put(n.spi);
    if (n.name === 'UNKNOWN') w.put(n.data);
    else (bodies[n.name][1] as Sized<unknown>).write(w, n.data); // the table ties name to data
  },
};

/**
 * A notify of ours, its data as the table types it, about the IKE SA itself unless a target is given:
 * notify('INVALID_KE_PAYLOAD', 19), notify('REKEY_SA', undefined, { protocol: 3, spi }).
 */
export function notify<N extends NotifyName>(
  name: N,
  ...[data, target = NO_TARGET]: undefined extends NotifyData<N>
    ? [data?: undefined, target?: NotifyTarget]
    : [data: NotifyData<N>, target?: NotifyTarget]
): Notify {
  return { kind: 'N', name, protocol: target.protocol, spi: target.spi, data } as Known; // the table ties name to data
}

export function notifyType(n: Notify): number {
  return n.name === 'UNKNOWN' ? n.type : bodies[n.name][0];
}

/** label of a notify type, or its number as text */
export function notifyTypeName(type: number): string {
  return nameOf.get(type) ?? `${type}`;
}

/** error types are 0 to 16383 (§3.10.1): in a response, one that is not known means that the request failed */
export function isErrorType(type: number): boolean {
  return type < LEAST_STATUS;
}

function isPrivate(type: number): boolean {
  return type >= PRIVATE_STATUS || (type >= PRIVATE_ERRORS && type < LEAST_STATUS);
}
