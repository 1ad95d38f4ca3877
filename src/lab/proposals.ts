/**
 * Offering and judging proposals (RFC 7296 §2.7, §3.3): what the gateway picked must be one whole proposal of ours, one
 * transform of each type. When the gateway asks for a rekey we choose by the same lists.
 */
import { cipher, espSizes, prf } from '../../crypto/index.ts';
import { equal, type Proposal, Protocol, type SaPayload, type Transform, TransformType } from '../wire/index.ts';

export type IkeSuite = {
  readonly encr: number;
  /** bits, 0 where the transform has none */
  readonly keyLength: number;
  readonly integ: number;
  readonly prf: number;
  readonly group: number;
};
export type EspSuite = {
  readonly encr: number;
  readonly keyLength: number;
  readonly integ: number;
  readonly esn: boolean;
  /** 0: no Diffie-Hellman exchange of its own */
  readonly group: number;
};

/** One transform each, by type: what was agreed. */
type Picked = { readonly proposal: Proposal; readonly transforms: ReadonlyMap<number, Transform> };

export const withSpi = (offer: readonly Proposal[], spi: Uint8Array): readonly Proposal[] => offer.map((p) => ({ ...p, spi }));

/** The offer with these Diffie-Hellman groups in every proposal, before ESN as RFC 7296 lists them. */
export function withGroups(offer: readonly Proposal[], groups: readonly number[]): readonly Proposal[] {
  const dh = groups.map((id) => ({ type: TransformType.DH, id, keyLength: 0 }));
  return offer.map((p) => {
    const kept = p.transforms.filter((t) => t.type !== TransformType.DH);
    const at = kept.findIndex((t) => t.type === TransformType.ESN);
    return { ...p, transforms: at < 0 ? [...kept, ...dh] : [...kept.slice(0, at), ...dh, ...kept.slice(at)] };
  });
}

/** What the gateway chose of our offer, or what is wrong with its choice. */
export function judgeChoice(offer: readonly Proposal[], sa: SaPayload): Picked | { readonly why: string } {
  const [chosen, second] = sa.proposals;
  if (chosen === undefined || second !== undefined) return { why: `${sa.proposals.length} proposals in a response` };
  const offered = offer.find((p) => p.number === chosen.number);
  if (offered === undefined) return { why: `proposal ${chosen.number} was not offered` };
  if (offered.protocol !== chosen.protocol) return { why: `protocol ${chosen.protocol} was not offered` };
  if (offered.spi.length !== chosen.spi.length) return { why: `an SPI of ${chosen.spi.length} octets` };
  const transforms = new Map<number, Transform>();
  for (const transform of chosen.transforms) {
    if (transforms.has(transform.type)) return { why: `two transforms of type ${transform.type}` };
    if (!offered.transforms.some((t) => sameTransform(t, transform))) return { why: `${text(transform)} was not offered` };
    transforms.set(transform.type, transform);
  }
  // A type may be missing only where the offer has its "none" (§3.3.3, §3.3.6).
  for (const { type } of offered.transforms)
    if (!transforms.has(type) && !offered.transforms.some((t) => t.type === type && t.id === 0))
      return { why: `no transform of type ${type} chosen` };
  return { proposal: chosen, transforms };
}

/** Our choice of the gateway's offer by our own lists: the first of its proposals that fits; undefined when none does. */
export function choose(theirs: SaPayload, ours: readonly Proposal[]): Picked | undefined {
  for (const proposal of theirs.proposals) {
    for (const own of ours) {
      const transforms = own.protocol === proposal.protocol ? common(proposal.transforms, own.transforms) : undefined;
      if (transforms !== undefined) return { proposal: { ...proposal, transforms: [...transforms.values()] }, transforms };
    }
  }
  return undefined;
}

/** Undefined for a suite that we cannot speak, or one with a hole. */
export function ikeSuite({ transforms }: Picked): IkeSuite | undefined {
  const encr = transforms.get(TransformType.ENCR);
  const [integ, random, dh] = [TransformType.INTEG, TransformType.PRF, TransformType.DH].map((t) => transforms.get(t)?.id ?? 0);
  if (encr === undefined || integ === undefined || random === undefined || dh === undefined || dh === 0) return undefined;
  if (cipher(encr.id, encr.keyLength, integ) === undefined || prf(random) === undefined) return undefined;
  return { encr: encr.id, keyLength: encr.keyLength, integ, prf: random, group: dh };
}

export function espSuite({ proposal, transforms }: Picked): EspSuite | undefined {
  const encr = transforms.get(TransformType.ENCR);
  const esn = transforms.get(TransformType.ESN);
  const integ = transforms.get(TransformType.INTEG)?.id ?? 0;
  if (proposal.protocol !== Protocol.ESP || encr === undefined || esn === undefined) return undefined;
  if (espSizes(encr.id, encr.keyLength, integ) === undefined) return undefined;
  const group = transforms.get(TransformType.DH)?.id ?? 0;
  return { encr: encr.id, keyLength: encr.keyLength, integ, esn: esn.id === 1, group };
}

/** The first transform of each type that both have; every type of theirs must find one, and none of ours may be left out. */
function common(theirs: readonly Transform[], ours: readonly Transform[]): ReadonlyMap<number, Transform> | undefined {
  const picked = new Map<number, Transform>();
  for (const type of new Set([...theirs, ...ours].map((t) => t.type))) {
    const [a, b] = [theirs.filter((t) => t.type === type), ours.filter((t) => t.type === type)];
    const found = a.find((t) => b.some((own) => sameTransform(own, t)));
    if (found !== undefined) picked.set(type, found);
    else if (!optional(a) || !optional(b)) return undefined;
  }
  return picked;
}

const optional = (transforms: readonly Transform[]): boolean => transforms.length === 0 || transforms.some((t) => t.id === 0);

function sameTransform(a: Transform, b: Transform): boolean {
  if (a.type !== b.type || a.id !== b.id || a.keyLength !== b.keyLength) return false;
  const [one, two] = [a.unknown ?? [], b.unknown ?? []];
  return one.length === two.length && one.every((x, i) => x.type === two[i]?.type && equal(x.value, two[i].value));
}

function text({ type, id, keyLength, unknown }: Transform): string {
  const bits = keyLength === 0 ? '' : ` with ${keyLength} bits`;
  return `transform type ${type} ID ${id}${bits}${unknown === undefined ? '' : ' with other attributes'}`;
}
