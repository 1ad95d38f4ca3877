/**
 * Why no proposal was chosen, for people: per received proposal the first transform type without common ground and the nearest
 * configured proposal. Bounded whatever is offered. The choice itself is negotiate.ts (RFC 7296 §2.7, §3.3.6).
 */
import type { EspProposal, IkeProposal } from '../../crypto/index.ts';
import {
  DhGroup,
  Encr,
  Esn,
  equal,
  Integ,
  type Proposal,
  Protocol,
  protocolName,
  type Transform,
  TransformType,
  unhex,
} from '../wire/index.ts';
import { fortiName, fortiTypeName } from './names.ts';
import { espSpi, espTypes, ikeTypes, type Offer, readOffer, slot as slotKey } from './negotiate.ts';

/** A phase1-interface that would have answered; `Profile` fits. */
export type WantedIke = { readonly name: string; readonly proposals: readonly IkeProposal[]; readonly groups: readonly number[] };
/** A phase2-interface; `Phase2` fits. */
export type WantedChild = {
  readonly name: string;
  readonly proposals: readonly EspProposal[];
  readonly groups: readonly number[];
  readonly pfs: boolean;
};

/** What was wrong with one received proposal. */
export type Mismatch = {
  /** Its number. */
  readonly proposal: number;
  /**
   * type: nothing of one transform type is acceptable · missing: it has none of a type that must be there · together: what it
   * has of a type is acceptable, but not with what it has of the types before · foreign: of another protocol, or with a
   * transform type that is not known
   */
  readonly kind: 'type' | 'missing' | 'together' | 'foreign';
  /** IANA transform type; 0 for foreign. */
  readonly type: number;
  readonly offered: readonly Transform[];
  /** With what fits in the types before. */
  readonly accepted: readonly Transform[];
  /** The configured word that fits in most types, and where it is configured. */
  readonly nearest: { readonly word: string; readonly name: string } | undefined;
  readonly text: string;
};

/** Proposals that are explained one by one. */
const PROPOSALS_SHOWN = 8;
/** Values that are listed of one type. */
const VALUES_SHOWN = 8;

/**
 * Explains a refused IKE SA in lines of text: one per received proposal, at most 8 and then one for the rest, and one with the
 * fix by name for a Windows client that knows nothing but MODP-1024.
 *
 * @param wanted the profiles that were asked, in order
 * @param vendorIds vendor IDs of the peer
 */
export function explain(
  offered: readonly Proposal[],
  wanted: readonly WantedIke[],
  vendorIds: readonly Uint8Array[],
): readonly string[] {
  const lines = linesOf(offered, mismatches(offered, wanted));
  const hint = windowsHint(offered, wanted, vendorIds);
  return hint === undefined ? lines : [...lines, hint];
}

/** Explains a refused child SA like `explain`. `esn` and `inAuth` as `chooseChild` takes them. */
export function explainChild(
  offered: readonly Proposal[],
  wanted: WantedChild,
  esn: 'require' | 'allow' | 'disable',
  inAuth: boolean,
): readonly string[] {
  return linesOf(offered, childMismatches(offered, wanted, esn, inAuth));
}

/** The same as data: a record for each of the first 8 proposals that could not be chosen. */
export function mismatches(offered: readonly Proposal[], wanted: readonly WantedIke[]): readonly Mismatch[] {
  const suites = wanted.flatMap(({ name, proposals, groups }) => {
    const dh = one(TransformType.DH, groups);
    return proposals.map((p) => ({ name, word: p.word, slots: [...protection(p), one(TransformType.PRF, [p.prf]), dh] }));
  });
  return compare(offered, suites, Protocol.IKE);
}

/** The same of a child SA. */
export function childMismatches(
  offered: readonly Proposal[],
  { name, proposals, groups, pfs }: WantedChild,
  esn: 'require' | 'allow' | 'disable',
  inAuth: boolean,
): readonly Mismatch[] {
  const dh = pfs ? one(TransformType.DH, groups) : { ...one(TransformType.DH, [DhGroup.NONE]), optional: true };
  const sequence = one(TransformType.ESN, [...(esn === 'disable' ? [] : [Esn.ESN]), ...(esn === 'require' ? [] : [Esn.NO_ESN])]);
  const rest: readonly Slot[] = [...(inAuth ? [] : [dh]), { ...sequence, optional: esn !== 'require' }];
  const suites = proposals.map((p) => ({ name, word: p.word, slots: [...protection(p), ...rest] }));
  return compare(offered, suites, Protocol.ESP);
}

/** True when one of the vendor IDs is Windows' own. */
export function isWindows(vendorIds: readonly Uint8Array[]): boolean {
  return vendorIds.some((id) =>
    microsoft.some((known) => id.length >= known.length && equal(id.subarray(0, known.length), known)),
  );
}

/** What the built-in client sends; the first and the last are followed by a version of four octets. */
const microsoft: readonly Uint8Array[] = [
  unhex('1e2b516905991c7d7c96fcbfb587e461'), // MS NT5 ISAKMPOAKLEY
  unhex('214ca4faffa7f32d6748e5303395ae83'), // MS-MamieExists
  unhex('e3a5966a76379fe707228231e5ce8652'), // IKE CGA version 1
  unhex('fb1de3cdf341b7ea16b7e5be0855f120'), // MS-Negotiation Discovery Capable
  unhex('01528bbbc00696121849ab9a1c5b2a51'), // Microsoft IPsec Security Realm Id
];

/** What one transform type must have: one of these, or nothing at all of the type when `optional`. */
type Slot = { readonly type: number; readonly accepted: readonly Transform[]; readonly optional: boolean };
type Suite = { readonly name: string; readonly word: string; readonly slots: readonly Slot[] };

const one = (type: number, ids: readonly number[]): Slot => ({
  type,
  accepted: ids.map((id) => ({ type, id, keyLength: 0 })),
  optional: false,
});

function protection({ encr: id, keyLength, integ }: EspProposal): readonly Slot[] {
  const type = TransformType.ENCR;
  const lengths = id === Encr.CHACHA20_POLY1305 ? [0, 256] : [keyLength];
  return [
    { type, accepted: lengths.map((bits) => ({ type, id, keyLength: bits })), optional: false },
    { ...one(TransformType.INTEG, [integ]), optional: integ === Integ.NONE },
  ];
}

function compare(offered: readonly Proposal[], suites: readonly Suite[], protocol: number): readonly Mismatch[] {
  return offered.slice(0, PROPOSALS_SHOWN).flatMap((proposal) => mismatchOf(proposal, suites, protocol) ?? []);
}

function mismatchOf(proposal: Proposal, suites: readonly Suite[], protocol: number): Mismatch | undefined {
  const offer = readOffer(proposal, protocol === Protocol.IKE ? ikeTypes : espTypes);
  const foreign = foreignness(proposal, protocol) ?? (offer === undefined ? unknownType(proposal, protocol) : undefined);
  const base = { proposal: proposal.number, offered: [], accepted: [], nearest: undefined };
  if (foreign !== undefined || offer === undefined)
    return { ...base, kind: 'foreign', type: 0, text: `proposal ${proposal.number}: ${foreign ?? ''}` };
  const nearest = nearestOf(offer, suites);
  if (nearest === undefined)
    return { ...base, kind: 'foreign', type: 0, text: `proposal ${proposal.number}: no proposal is configured` };
  const failed = firstFailing(offer, suites, nearest);
  if (failed === undefined) return undefined;
  const { type } = failed;
  const there = proposal.transforms.filter((t) => t.type === type);
  const elsewhere = suites.some((suite) => slotsOf(suite, type).some((slot) => fits(offer, slot)));
  const kind = elsewhere ? 'together' : there.length === 0 ? 'missing' : 'type';
  const accepted = distinct(failed.left.flatMap((suite) => slotsOf(suite, type)).flatMap((slot) => slot.accepted));
  const { word, name } = nearest;
  const found = { proposal: proposal.number, kind, type, offered: there, accepted, nearest: { word, name } } as const;
  return { ...found, text: textOf(found, suites, protocol) };
}

/** The first type for which no suite is left of those that fit in all types before it; `left` are those. */
function firstFailing(
  offer: Offer,
  suites: readonly Suite[],
  { slots }: Suite,
): { readonly type: number; readonly left: readonly Suite[] } | undefined {
  let left = suites;
  for (const { type } of slots) {
    const fitting = left.filter((suite) => slotsOf(suite, type).every((slot) => fits(offer, slot)));
    if (fitting.length === 0) return { type, left };
    left = fitting;
  }
  return undefined;
}

const slotsOf = ({ slots }: Suite, type: number): readonly Slot[] => slots.filter((slot) => slot.type === type);

function fits(offer: Offer, { type, accepted, optional }: Slot): boolean {
  const there = offer.get(type);
  return there === undefined ? optional : accepted.some(({ id, keyLength }) => there.has(slotKey(id, keyLength)));
}

/** The suite that fits in most types; of equals the first configured. */
function nearestOf(offer: Offer, suites: readonly Suite[]): Suite | undefined {
  let best: { readonly suite: Suite; readonly score: number } | undefined;
  for (const suite of suites) {
    const score = suite.slots.filter((slot) => fits(offer, slot)).length;
    if (best === undefined || score > best.score) best = { suite, score };
  }
  return best?.suite;
}

function distinct(transforms: readonly Transform[]): readonly Transform[] {
  return [...new Map(transforms.map((t) => [slotKey(t.id, t.keyLength), t])).values()];
}

/** Why a proposal is not looked into. */
function foreignness(proposal: Proposal, protocol: number): string | undefined {
  if (proposal.protocol !== protocol) return `it is for ${protocolName(proposal.protocol)}, not for ${protocolName(protocol)}`;
  return protocol === Protocol.ESP && espSpi(proposal) === undefined ? 'its SPI is a reserved one' : undefined;
}

/** §3.3.6: one transform type that is not known makes the whole proposal unacceptable. */
function unknownType({ transforms }: Proposal, protocol: number): string {
  const known = protocol === Protocol.IKE ? ikeTypes : espTypes;
  const type = transforms.find((t) => !known.has(t.type))?.type ?? 0;
  return `transform type ${fortiTypeName(type)} is not known in a proposal for ${protocolName(protocol)}`;
}

function textOf(found: Omit<Mismatch, 'text'>, suites: readonly Suite[], protocol: number): string {
  const type = fortiTypeName(found.type);
  const [offered, accepted] = [valuesOf(found.offered, protocol), valuesOf(found.accepted, protocol)];
  const names = [...new Set(suites.map(({ name }) => name))];
  const who = names.length === 1 ? `${names[0]} accepts` : `${names.length} gateways accept`;
  const nearest = `nearest: ${found.nearest?.word ?? ''}${names.length === 1 ? '' : ` of ${found.nearest?.name ?? ''}`}`;
  const peer = found.offered.length === 0 ? 'peer offers none' : `peer offers ${offered}`;
  const start = `proposal ${found.proposal}: ${type}: ${peer}`;
  const rest = found.kind === 'together' ? 'with the rest of it ' : '';
  return `${start}, ${rest}${who} ${accepted === '' ? 'none' : accepted}; ${nearest}`;
}

/** 'AES_CBC_256 AES_GCM_16_256 and 3 more': names without blanks, each once. */
function valuesOf(transforms: readonly Transform[], protocol: number): string {
  const names = transforms.map(({ type, id, keyLength, unknown }) => {
    const name = fortiName(type, id, keyLength, protocol).replace(/ \(key_len = (\d+)\)$/, '_$1');
    return unknown === undefined ? name : `${name}(unknown attribute)`;
  });
  const each = [...new Set(names)];
  const more = each.length - VALUES_SHOWN;
  return each.slice(0, VALUES_SHOWN).join(' ') + (more > 0 ? ` and ${more} more` : '');
}

function linesOf(offered: readonly Proposal[], found: readonly Mismatch[]): readonly string[] {
  if (offered.length === 0) return ['the peer offers no proposal'];
  if (found.length === 0) return ['the algorithms that both ends name are not in this build'];
  const more = offered.length - PROPOSALS_SHOWN;
  return [...found.map(({ text }) => text), ...(more > 0 ? [`and ${more} more proposals`] : [])];
}

/** The commonest refusal of all: Windows as it comes offers group 2 and nothing else. */
function windowsHint(
  offered: readonly Proposal[],
  wanted: readonly WantedIke[],
  vendorIds: readonly Uint8Array[],
): string | undefined {
  const groups = offered.flatMap(({ transforms }) =>
    transforms.flatMap(({ type, id }) => (type === TransformType.DH ? [id] : [])),
  );
  if (!isWindows(vendorIds) || groups.length === 0 || groups.some((id) => id !== DhGroup.MODP_1024)) return undefined;
  const has = (id: number) => wanted.some((one) => one.groups.includes(id));
  const names = [
    [DhGroup.MODP_2048, 'Group14'],
    [DhGroup.ECP_384, 'ECP384'],
    [DhGroup.ECP_256, 'ECP256'],
  ] as const;
  const shared = names.filter(([id]) => has(id)).map(([, name]) => name);
  const start = 'this Windows client offers MODP1024 alone, as it does by default';
  const registry = 'the DWORD value NegotiateDH2048_AES256 to 1 in HKLM\\SYSTEM\\CurrentControlSet\\Services\\RasMan\\Parameters';
  if (shared.length === 0) return `${start}; add 14, 19 or 20 to dhgrp here, then on the client set ${registry} (group 14)`;
  const powershell = `run Set-VpnConnectionIPsecConfiguration with -DHGroup ${shared.join(' or ')}`;
  if (has(DhGroup.MODP_2048)) return `${start}; on the client set ${registry}, or ${powershell}`;
  return `${start}; on the client ${powershell} (its registry value NegotiateDH2048_AES256 needs 14 in dhgrp here)`;
}
