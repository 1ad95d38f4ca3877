/**
 * Choosing among proposals (RFC 7296 §2.7, §3.3): pure choices. As FortiOS does, the initiator's proposals are gone through in
 * the initiator's order; inside one of them our configured order decides.
 */
import {
  type Cipher,
  cipher as cipherOf,
  type EspProposal,
  espSizes,
  group as groupOf,
  type IkeProposal,
  type Prf,
  prf as prfOf,
} from '../../crypto/index.ts';
import { DhGroup, Encr, Esn, Integ, type Proposal, Protocol, type Transform, TransformType } from '../wire/index.ts';

/** The algorithms of an IKE SA. */
export type IkeChoice = {
  /** The answer: number of the offer, exactly one transform of each type in it, as offered; no SPI. */
  readonly proposal: Proposal;
  /** The initiator's proposal itself; its SPI matters in a rekey. */
  readonly offered: Proposal;
  readonly encr: number;
  /** Bits as the peer wrote them: 0 or 256 for ChaCha20-Poly1305. */
  readonly keyLength: number;
  /** 0 with AEAD. */
  readonly integ: number;
  readonly prf: number;
  readonly group: number;
  readonly cipher: Cipher;
  readonly prfAlgorithm: Prf;
};

/** The algorithms of a child SA. */
export type ChildChoice = {
  /** As in IkeChoice; no SPI. */
  readonly proposal: Proposal;
  readonly offered: Proposal;
  /** The initiator's inbound SPI, ≥ 256. */
  readonly spi: number;
  readonly encr: number;
  readonly keyLength: number;
  readonly integ: number;
  readonly esn: boolean;
  /** The group of its own Diffie-Hellman; undefined: none. */
  readonly group: number | undefined;
};

/** `invalid-ke`: all fits, but the KE payload is for another group: INVALID_KE_PAYLOAD(group) (§1.2, §1.3). */
export type IkeOutcome =
  | ({ readonly kind: 'chosen' } & IkeChoice)
  | ({ readonly kind: 'invalid-ke' } & IkeChoice)
  | { readonly kind: 'none' };
export type ChildOutcome =
  | ({ readonly kind: 'chosen' } & ChildChoice)
  | ({ readonly kind: 'invalid-ke' } & ChildChoice & { readonly group: number })
  | { readonly kind: 'none' };

export type IkeWanted = { readonly proposals: readonly IkeProposal[]; readonly groups: readonly number[] };
export type ChildWanted = {
  readonly proposals: readonly EspProposal[];
  readonly groups: readonly number[];
  readonly pfs: boolean;
  readonly esn: 'require' | 'allow' | 'disable';
  /** Group of the KE payload; undefined: there was none. */
  readonly keGroup: number | undefined;
  /** In IKE_AUTH there is no Diffie-Hellman of the child's own (§1.2): DH transforms are passed over. */
  readonly inAuth: boolean;
};

/**
 * The suite for an IKE SA.
 *
 * @param keGroup group of the initiator's KE payload: preferred when it may be used with that proposal, it saves a round trip.
 *   Without it the first of our groups that is offered is chosen.
 */
export function chooseIke(offered: readonly Proposal[], wanted: IkeWanted, keGroup?: number): IkeOutcome {
  for (const proposal of offered) {
    if (proposal.protocol !== Protocol.IKE) continue;
    const offer = readOffer(proposal, ikeTypes);
    if (offer === undefined) continue;
    const suite = ikeSuite(offer, wanted.proposals);
    const dh = suite && pickGroup(offer, wanted.groups, keGroup);
    if (suite === undefined || dh === undefined) continue;
    const choice: IkeChoice = {
      proposal: answer(proposal, [suite.encr, suite.prf, suite.integ, dh]),
      offered: proposal,
      encr: suite.encr.id,
      keyLength: suite.encr.keyLength,
      integ: suite.integ?.id ?? Integ.NONE,
      prf: suite.prf.id,
      group: dh.id,
      cipher: suite.cipher,
      prfAlgorithm: suite.prfAlgorithm,
    };
    return { kind: keGroup === undefined || keGroup === dh.id ? 'chosen' : 'invalid-ke', ...choice };
  }
  return { kind: 'none' };
}

/** The suite for a child SA: ESP only. An absent ESN transform is read as "no ESN": §3.3.3 wants it, some peers leave it out. */
export function chooseChild(offered: readonly Proposal[], wanted: ChildWanted): ChildOutcome {
  for (const proposal of offered) {
    const spi = espSpi(proposal);
    const offer = spi === undefined ? undefined : readOffer(proposal, espTypes);
    if (spi === undefined || offer === undefined) continue;
    const suite = espSuite(offer, wanted.proposals);
    const esn = pickEsn(offer, wanted.esn);
    const dh = pickChildGroup(offer, wanted);
    if (suite === undefined || esn === undefined || dh === undefined) continue;
    const choice = {
      proposal: answer(proposal, [suite.encr, suite.integ, dh.transform, esn.transform]),
      offered: proposal,
      spi,
      encr: suite.encr.id,
      keyLength: suite.encr.keyLength,
      integ: suite.integ?.id ?? Integ.NONE,
      esn: esn.on,
    };
    const { group } = dh;
    if (group === undefined || group === wanted.keGroup) return { kind: 'chosen', ...choice, group };
    return { kind: 'invalid-ke', ...choice, group };
  }
  return { kind: 'none' };
}

/** Transforms that may be chosen, by type and then by `slot` (id and key length). Here and in mismatch.ts. */
export type Offer = ReadonlyMap<number, ReadonlyMap<number, Transform>>;
type Suite = { readonly encr: Transform; readonly integ: Transform | undefined };

export const ikeTypes: ReadonlySet<number> = new Set([
  TransformType.ENCR,
  TransformType.PRF,
  TransformType.INTEG,
  TransformType.DH,
]);
export const espTypes: ReadonlySet<number> = new Set([
  TransformType.ENCR,
  TransformType.INTEG,
  TransformType.DH,
  TransformType.ESN,
]);
const SMALLEST_SPI = 256; // RFC 4303 §2.1: those below are reserved

/**
 * §3.3.6: a type that this protocol does not know makes the whole proposal unacceptable; a transform with an attribute that is
 * not known only itself. One pass, so that the largest offer that can be decoded costs no more than its length.
 */
export function readOffer({ transforms }: Proposal, types: ReadonlySet<number>): Offer | undefined {
  const offer = new Map<number, Map<number, Transform>>();
  for (const transform of transforms) {
    if (!types.has(transform.type)) return undefined;
    const ofType = offer.get(transform.type) ?? new Map<number, Transform>();
    offer.set(transform.type, ofType);
    const at = slot(transform.id, transform.keyLength);
    if (transform.unknown === undefined && !ofType.has(at)) ofType.set(at, transform);
  }
  return offer;
}

export const slot = (id: number, keyLength: number): number => id * 0x10000 + keyLength;

const find = (offer: Offer, type: number, id: number, keyLength = 0): Transform | undefined =>
  offer.get(type)?.get(slot(id, keyLength));

function ikeSuite(
  offer: Offer,
  proposals: readonly IkeProposal[],
): (Suite & { readonly prf: Transform; readonly cipher: Cipher; readonly prfAlgorithm: Prf }) | undefined {
  for (const want of proposals) {
    const suite = protection(offer, want);
    const prf = find(offer, TransformType.PRF, want.prf);
    if (suite === undefined || prf === undefined) continue;
    // Never agree to what the backend cannot do, whatever is configured.
    const cipher = cipherOf(want.encr, suite.encr.keyLength, want.integ);
    const prfAlgorithm = prfOf(want.prf);
    if (cipher !== undefined && prfAlgorithm !== undefined) return { ...suite, prf, cipher, prfAlgorithm };
  }
  return undefined;
}

function espSuite(offer: Offer, proposals: readonly EspProposal[]): Suite | undefined {
  for (const want of proposals) {
    const suite = protection(offer, want);
    if (suite !== undefined && espSizes(want.encr, suite.encr.keyLength, want.integ) !== undefined) return suite;
  }
  return undefined;
}

/** Encryption and integrity of one configured proposal, as offered. */
function protection(offer: Offer, { encr: id, keyLength, integ: integId }: EspProposal): Suite | undefined {
  const encr = findEncr(offer, id, keyLength);
  if (encr === undefined) return undefined;
  const integ = find(offer, TransformType.INTEG, integId);
  // RFC 5282 §8, RFC 4106 §8.4: AEAD goes with INTEG NONE, or with no INTEG at all.
  const without = integId === Integ.NONE && !offer.has(TransformType.INTEG);
  return integ === undefined && !without ? undefined : { encr, integ };
}

/** The key length must be the very same; RFC 7634 §3 has none for ChaCha20, peers that write 256 mean the same cipher. */
function findEncr(offer: Offer, id: number, keyLength: number): Transform | undefined {
  if (id !== Encr.CHACHA20_POLY1305) return find(offer, TransformType.ENCR, id, keyLength);
  return find(offer, TransformType.ENCR, id, 0) ?? find(offer, TransformType.ENCR, id, 256);
}

function pickGroup(offer: Offer, groups: readonly number[], keGroup: number | undefined): Transform | undefined {
  const acceptable = (id: number) => (groupOf(id) === undefined ? undefined : find(offer, TransformType.DH, id));
  const sent = keGroup !== undefined && groups.includes(keGroup) ? acceptable(keGroup) : undefined;
  if (sent !== undefined) return sent;
  for (const id of groups) {
    const transform = acceptable(id);
    if (transform !== undefined) return transform;
  }
  return undefined;
}

type Pick<T> = T & { readonly transform: Transform | undefined };

/** undefined: no agreement. A NONE that was offered is answered with NONE, for there is one transform of each offered type. */
function pickChildGroup(
  offer: Offer,
  { pfs, groups, keGroup, inAuth }: ChildWanted,
): Pick<{ readonly group: number | undefined }> | undefined {
  const none = find(offer, TransformType.DH, DhGroup.NONE);
  if (inAuth) return { group: undefined, transform: none };
  if (!pfs) return none === undefined && offer.has(TransformType.DH) ? undefined : { group: undefined, transform: none };
  const transform = pickGroup(offer, groups, keGroup);
  return transform && { group: transform.id, transform };
}

function pickEsn(offer: Offer, policy: ChildWanted['esn']): Pick<{ readonly on: boolean }> | undefined {
  const yes = find(offer, TransformType.ESN, Esn.ESN);
  if (yes !== undefined && policy !== 'disable') return { on: true, transform: yes };
  const no = find(offer, TransformType.ESN, Esn.NO_ESN);
  if (policy === 'require' || (no === undefined && offer.has(TransformType.ESN))) return undefined;
  return { on: false, transform: no };
}

/** The SPI of a proposal for ESP; undefined when it is for something else, or the SPI a reserved one. */
export function espSpi({ protocol, spi }: Proposal): number | undefined {
  if (protocol !== Protocol.ESP || spi.length !== 4) return undefined;
  const value = new DataView(spi.buffer, spi.byteOffset, 4).getUint32(0);
  return value < SMALLEST_SPI ? undefined : value;
}

function answer({ number, protocol }: Proposal, transforms: readonly (Transform | undefined)[]): Proposal {
  return { number, protocol, spi: new Uint8Array(0), transforms: transforms.filter((t) => t !== undefined) };
}
