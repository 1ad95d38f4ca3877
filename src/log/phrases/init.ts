/**
 * Lines of datagrams and of IKE_SA_INIT, in FortiOS' words (seen in `diagnose debug application ike -1` of 7.2 to 7.6).
 * Lines whose FortiOS wording is not known are marked `ours`.
 */
import { line, type Phrase } from './phrase.ts';

/** FortiOS' own words for IANA's `IKEV2_…` labels. */
const notifyWord = (name: string): string => name.replace(/^IKEV2_/, '');

type Path = { readonly from: string; readonly to: string };

export const udpComes = (from: string, to: string, octets: number): Phrase =>
  line`udp comes ${from}->${to},ifindex=0,vrf=0,len=${octets}....`;
export const exchangeComes = (name: string, SPIi: string, SPIr: string, id: string, octets: number): Phrase =>
  line`IKEv2 exchange=${name} id=${SPIi}/${SPIr}${id} len=${octets}`;
export const sentMessage = (tag: string, path: Path, octets: number, id: string): Phrase =>
  line`sent IKE msg (${tag}): ${path.from}->${path.to}, len=${octets}, vrf=0, id=${id}, oif=0`;
export const packetIn = (hex: string): Phrase => line`in ${hex}`;
export const packetOut = (hex: string): Phrase => line`out ${hex}`;

export const respondedInit = (): Phrase => line`responder received SA_INIT msg`;
export const vendorId = (name: string, hex: string): Phrase => line`VID ${name} ${hex}`;
export const vendorIdUnknown = (octets: number, hex: string): Phrase => line`VID unknown (${octets}): ${hex}`;
export const receivedNotify = (name: string): Phrase => line`received notify type ${notifyWord(name)}`;
export const processingNotify = (name: string): Phrase => line`processing notify type ${notifyWord(name)}`;
export const networkId = (id: number): Phrase => line`NETWORK ID : ${id}`;

export const incomingProposal = (): Phrase => line`incoming proposal:`;
export const incomingChildProposal = (): Phrase => line`incoming child SA proposal:`;
export const myProposal = (gateway: string): Phrase => line`my proposal, gw ${gateway}:`;
export const myChildProposal = (): Phrase => line`my proposal:`;
export const proposalId = (id: number): Phrase => line`proposal id = ${id}:`;
export const proposalProtocol = (name: string): Phrase => line`  protocol = ${name}:`;
export const proposalEncapsulation = (name: string): Phrase => line`     encapsulation = ${name}`;
export const proposalTransform = (type: string, value: string): Phrase => line`        type=${type}, val=${value}`;
export const pfs = (group: number | undefined): Phrase =>
  group === undefined ? line`        PFS is disabled` : line`        PFS enabled, group=${group}`;
export const matchedProposal = (id: number): Phrase => line`matched proposal id ${id}`;
export const lifetime = (seconds: number): Phrase => line`lifetime=${seconds}`;
export const gatewayMatched = (name: string): Phrase => line`SA proposal chosen, matched gateway ${name}`;
export const createdConnection = (id: number, path: Path): Phrase => line`created connection: ${id} 0 ${path.from}->${path.to}.`;
export const noProposalChosen = (): Phrase => line`no proposal chosen`;
export const noProposalResponse = (): Phrase => line`no proposal chosen, send error response`;
/** ours: the cause that FortiOS leaves to the reader. */
export const mismatch = (text: string): Phrase => line`${text}`;
export const negotiateError = (why: string): Phrase => line`Negotiate SA Error: ${why}`;
/** ours: FortiOS says `ignoring IKEv2 request, no policy configured` of a gateway it found. */
export const noGateway = (local: string, why: string): Phrase => line`no phase1-interface answers on ${local}: ${why}`;
export const invalidKe = (offered: number, wanted: number): Phrase =>
  line`KE group ${offered} is not acceptable, asking for group ${wanted} (INVALID_KE_PAYLOAD)`;
export const cookieRequired = (halfOpen: number): Phrase => line`${halfOpen} half-open SAs, asking for a cookie`;
export const initDropped = (why: string): Phrase => line`IKE_SA_INIT dropped: ${why}`;

export const processingNatD = (): Phrase => line`processing NAT-D payload`;
export const natDetected = (me: boolean, peer: boolean): Phrase =>
  me || peer ? line`NAT detected: ${me && peer ? 'ME PEER' : me ? 'ME ' : 'PEER'}` : line`NAT not detected `;
export const processNatD = (): Phrase => line`process NAT-D`;
export const eapExtension = (): Phrase => line`FCT EAP 2FA extension vendor ID received`;
export const preparingInit = (): Phrase => line`responder preparing SA_INIT msg`;
export const dhPublicQueued = (): Phrase => line`generate DH public value request queued`;
export const dhSharedQueued = (): Phrase => line`compute DH shared secret request queued`;
/** FortiOS prints SK_* here; ours never does: keys leave only by `--capture-keys`. */
export const skeyseedDone = (SPIi: string, SPIr: string, suite: string): Phrase =>
  line`IKE SA ${SPIi}/${SPIr} keys derived, ${suite}`;

export const invalidSpi = (SPIi: string, SPIr: string, messageId: string): Phrase =>
  line`invalid IKE request SPI ${SPIi}/${SPIr}:${messageId}`;
export const retransmitDetected = (): Phrase => line`detected retransmit, resend last message`;
export const requestBusy = (): Phrase => line`request is still being worked on, retransmit ignored`;
export const outsideWindow = (got: number, expected: number): Phrase =>
  line`message ID ${got} is outside the window, expected ${expected}`;
export const dropped = (why: string): Phrase => line`message dropped: ${why}`;
export const malformed = (why: string): Phrase => line`malformed message: ${why}`;
export const fragmentQueued = (number: number, total: number): Phrase => line`encrypted fragment ${number} of ${total} queued`;
export const reassembled = (): Phrase => line`reassembled fragmented message`;
export const splitting = (octets: number, parts: number): Phrase => line`splitting payload len=${octets} into ${parts} fragments`;
export const remotePortChange = (from: number, to: number): Phrase => line`remote port change ${from} -> ${to}`;
export const remoteAddressChange = (from: string, to: string): Phrase => line`remote address change ${from} -> ${to}`;
export const majorVersion = (major: number): Phrase => line`IKE version ${major} is not served, only IKEv2`;
export const natHash = (local: string, remote: string): Phrase => line`create NAT-D hash local ${local} remote ${remote}`;
