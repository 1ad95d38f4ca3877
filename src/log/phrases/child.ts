/** Lines of child SAs, the configuration payload and the life of an SA, in FortiOS' words; `ours` where they are not known. */
import { addressText } from '../../wire/index.ts';
import { line, type Phrase } from './phrase.ts';

type Peer = { readonly address: string; readonly port: number };

export const creatingChild = (): Phrase => line`responder creating new child`;
export const receivedCreateChild = (): Phrase => line`received create-child request`;
export const respondedCreateChild = (): Phrase => line`responder received CREATE_CHILD exchange`;
export const preparingCreateChild = (): Phrase => line`responder preparing CREATE_CHILD message`;
export const peerProposal = (): Phrase => line`peer proposal:`;
export const selector = (side: 'TSi' | 'TSr', index: number, text: string): Phrase => line`${side}_${index} ${text}`;
export const comparing = (): Phrase => line`comparing selectors`;
export const matchedByRule = (rule: number): Phrase => line`matched by rfc-rule-${rule}`;
export const phase2Matched = (how: string): Phrase => line`phase2 matched by ${how}`;
export const selectorsFailed = (): Phrase => line`failed to match peer selectors`;
export const selectorsUnacceptable = (): Phrase => line`traffic selectors unacceptable`;
export const overridden = (text: string): Phrase => line`using mode-cfg override ${text}`;
export const acceptedProposal = (): Phrase => line`accepted proposal:`;
export const dialup = (): Phrase => line`dialup`;

export const allocated = (address: Uint8Array): Phrase => line`mode-cfg allocate ${addressText(address)}/0.0.0.0`;
export const usingAllocated = (family: 4 | 6, address: Uint8Array): Phrase =>
  line`mode-cfg using allocated IPv${family} ${addressText(address)}`;
export const couldNotAllocate = (family: 4 | 6): Phrase => line`mode-cfg could not allocate IPv${family} address`;
export const poolNotConfigured = (family: 4 | 6): Phrase => line`IPv${family} pool is not configured`;
/** ours: how full, and which setting to change. */
export const poolEmpty = (family: 4 | 6, used: number, setting: string): Phrase =>
  line`IPv${family} pool is empty: ${used} addresses are leased; widen ${setting}`;
export const modeCfg = (text: string): Phrase => line`mode-cfg ${text}`;
export const released = (address: Uint8Array): Phrase =>
  line`mode-cfg release ${addressText(address)}/${address.length === 4 ? '255.255.255.255' : 128}`;

export const addingTunnel = (peer: Peer): Phrase => line`adding new dynamic tunnel for ${peer.address}:${peer.port}`;
export const tunnelCreated = (ipv4: Uint8Array = new Uint8Array(4), ipv6: Uint8Array = new Uint8Array(16)): Phrase =>
  line`tunnel created tun_id ${addressText(ipv4)}/${addressText(ipv6)} remote_location 0.0.0.0`;
export const addedTunnel = (peer: Peer): Phrase => line`added new dynamic tunnel for ${peer.address}:${peer.port}`;
export const established = (SPIi: string, SPIr: string): Phrase => line`established IKE SA ${SPIi}/${SPIr}`;
export const peerRoute = (modeCfgOn: boolean): Phrase =>
  line`check peer route: if_addr4_rcvd=0, if_addr6_rcvd=0, mode_cfg=${modeCfgOn ? 1 : 0}`;
export const initialContact = (): Phrase => line`processing INITIAL-CONTACT`;
export const flushing = (): Phrase => line`flushing `;
export const flushed = (): Phrase => line`flushed `;
export const initialContactDone = (): Phrase => line`processed INITIAL-CONTACT`;
export const replay = (on: boolean): Phrase => (on ? line`replay protection enabled` : line`replay protection disabled`);
export const lifeSoft = (seconds: number): Phrase => line`set sa life soft seconds=${seconds}.`;
export const lifeHard = (seconds: number): Phrase => line`set sa life hard seconds=${seconds}.`;
export const saSelectors = (src: number, dst: number): Phrase => line`IPsec SA selectors #src=${src} #dst=${dst}`;
export const saSelector = (side: 'src' | 'dst', index: number, text: string): Phrase => line`${side} ${index} 7 ${text}`;
export const addSa = (incoming: string, outgoing: string): Phrase => line`add IPsec SA: SPIs=${incoming}/${outgoing}`;
export const addedSa = (incoming: string, outgoing: string): Phrase => line`added IPsec SA: SPIs=${incoming}/${outgoing}`;
/** ours: the data plane is not part of this build. */
export const trafficOff = (): Phrase => line`traffic off: the child SA is negotiated, no packet is carried`;
export const tunnelUp = (address: Uint8Array): Phrase => line`tunnel up event assigned address ${addressText(address)}`;

export const informational = (): Phrase => line`received informational request`;
export const processingDelete = (protocol: number): Phrase => line`processing delete request (proto ${protocol})`;
export const deletingIke = (SPIi: string, SPIr: string): Phrase => line`deleting IKE SA ${SPIi}/${SPIr}`;
export const scheduledDelete = (SPIi: string, SPIr: string): Phrase => line`scheduled delete of IKE SA ${SPIi}/${SPIr}`;
export const deletingChild = (spi: string): Phrase => line`deleting IPsec SA with SPI ${spi}`;
export const deletedChild = (spi: string, left: number): Phrase => line`deleted IPsec SA with SPI ${spi}, SA count: ${left}`;
export const deleteDynamic = (): Phrase => line`delete dynamic`;
export const deleted = (): Phrase => line`deleted`;
export const rekeyed = (SPIi: string, SPIr: string): Phrase => line`rekeyed, new IKE SA ${SPIi}/${SPIr}`;
export const rekeyingChild = (incoming: string, outgoing: string): Phrase => line`IPsec SA ${incoming}/${outgoing} rekey`;
export const initiatingCreateChild = (): Phrase => line`initiating CREATE_CHILD exchange`;
export const sendingDelete = (spi: string): Phrase => line`sending delete for IPsec SA SPI ${spi}`;
export const hardExpired = (what: string): Phrase => line`${what} hard expired`;
export const linkIdle = (seqno: number): Phrase => line`link is idle, send IKEv2 DPD probe, seqno ${seqno}`;
export const retransmissionTimeout = (SPIi: string, SPIr: string): Phrase => line`${SPIi}/${SPIr} retransmission timeout`;
export const expiringIke = (SPIi: string, SPIr: string): Phrase => line`expiring IKE SA ${SPIi}/${SPIr}`;
export const peerError = (name: string): Phrase => line`peer says ${name}`;
