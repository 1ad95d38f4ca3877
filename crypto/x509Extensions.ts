/**
 * The extensions of a certificate (RFC 5280 §4.2) that path validation and identities need. Strict: an extension that is
 * there twice or cannot be read makes the certificate unreadable, so that no constraint is lost on the way.
 *
 *   Extensions ::= SEQUENCE OF SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }
 */
import { booleanValue, context, contextPrimitive, type Der, DerReader, NotDer, oidText, smallInteger, Tag } from './asn1.ts';
import { type GeneralName, hex, readGeneralName } from './x509Name.ts';

export type Extensions = {
  /** subjectAltName, in its order. */
  readonly altNames: readonly GeneralName[];
  readonly isCa: boolean;
  /** How many intermediates may follow below this authority. */
  readonly pathLength: number | undefined;
  /** See KeyUsage; undefined when the extension is missing, which allows everything. */
  readonly keyUsage: number | undefined;
  /** Hexadecimal. */
  readonly subjectKeyId: string | undefined;
  readonly authorityKeyId: string | undefined;
  /** Object identifiers of extendedKeyUsage. */
  readonly eku: readonly string[];
  readonly ekuCritical: boolean;
  readonly constraints: NameConstraints | undefined;
  /** Critical extensions that nobody here understands: such a certificate must be refused (RFC 5280 §4.2). */
  readonly unknownCritical: readonly string[];
};

export type NameConstraints = { readonly permitted: readonly GeneralName[]; readonly excluded: readonly GeneralName[] };

/** The bits of keyUsage (RFC 5280 §4.2.1.3) as they stand in its first two octets. */
export const KeyUsage = { digitalSignature: 0x8000, contentCommitment: 0x4000, keyCertSign: 0x0400 } as const;

/** From the `[3]` element of a TBSCertificate. Throws NotDer. */
export function readExtensions(block: Der | undefined): Extensions {
  const found = new Map<string, { readonly critical: boolean; readonly value: Uint8Array }>();
  for (const element of block === undefined ? [] : DerReader.only(block.value, Tag.sequence).rest(MAX_EXTENSIONS)) {
    const reader = DerReader.only(element.whole, Tag.sequence);
    const id = oidText(reader.expect(Tag.oid));
    const flag = reader.optional(Tag.boolean);
    const { value } = reader.expect(Tag.octetString);
    reader.end();
    if (found.has(id)) throw new NotDer(`extension ${id} stands there twice`);
    found.set(id, { critical: flag !== undefined && booleanValue(flag), value });
  }
  const part = <T>(id: string, read: (octets: Uint8Array) => T): T | undefined => {
    const extension = found.get(id);
    return extension === undefined ? undefined : read(extension.value);
  };
  const basic = part(ID.basicConstraints, readBasicConstraints);
  return {
    altNames: part(ID.subjectAltName, readNames) ?? [],
    isCa: basic?.isCa ?? false,
    pathLength: basic?.pathLength,
    keyUsage: part(ID.keyUsage, readKeyUsage),
    subjectKeyId: part(ID.subjectKeyIdentifier, (octets) => hex(onlyElement(octets, Tag.octetString))),
    authorityKeyId: part(ID.authorityKeyIdentifier, readAuthorityKeyId),
    eku: part(ID.extendedKeyUsage, readPurposes) ?? [],
    ekuCritical: found.get(ID.extendedKeyUsage)?.critical ?? false,
    constraints: part(ID.nameConstraints, readConstraints),
    unknownCritical: [...found].filter(([id, { critical }]) => critical && !UNDERSTOOD.has(id)).map(([id]) => id),
  };
}

function readBasicConstraints(octets: Uint8Array): { readonly isCa: boolean; readonly pathLength: number | undefined } {
  const reader = DerReader.only(octets, Tag.sequence);
  const flag = reader.optional(Tag.boolean);
  const length = reader.optional(Tag.integer);
  reader.end();
  return { isCa: flag !== undefined && booleanValue(flag), pathLength: length === undefined ? undefined : smallInteger(length) };
}

function readKeyUsage(octets: Uint8Array): number {
  const [unused = 8, first = 0, second = 0] = onlyElement(octets, Tag.bitString);
  if (unused > 7) throw new NotDer('a broken keyUsage');
  return (first << 8) | second;
}

function readAuthorityKeyId(octets: Uint8Array): string | undefined {
  const id = DerReader.only(octets, Tag.sequence).optional(contextPrimitive(0));
  return id === undefined ? undefined : hex(id.value);
}

const readNames = (octets: Uint8Array): readonly GeneralName[] =>
  DerReader.only(octets, Tag.sequence).rest(MAX_NAMES).map(readGeneralName);

const readPurposes = (octets: Uint8Array): readonly string[] =>
  DerReader.only(octets, Tag.sequence)
    .rest(MAX_NAMES)
    .map((element) => {
      if (element.tag !== Tag.oid) throw new NotDer('a purpose that is no object identifier');
      return oidText(element);
    });

function readConstraints(octets: Uint8Array): NameConstraints {
  const reader = DerReader.only(octets, Tag.sequence);
  const permitted = reader.optional(context(0));
  const excluded = reader.optional(context(1));
  reader.end();
  return { permitted: readSubtrees(permitted), excluded: readSubtrees(excluded) };
}

/** RFC 5280 §4.2.1.10: minimum is always 0 and so not encoded, maximum absent. */
function readSubtrees(block: Der | undefined): readonly GeneralName[] {
  if (block === undefined) return [];
  return new DerReader(block.value).rest(MAX_NAMES).map((subtree) => {
    const reader = DerReader.only(subtree.whole, Tag.sequence);
    const base = readGeneralName(reader.next());
    reader.end();
    return base;
  });
}

function onlyElement(octets: Uint8Array, tag: number): Uint8Array {
  const reader = new DerReader(octets);
  const { value } = reader.expect(tag);
  reader.end();
  return value;
}

const ID = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const;

/** The ones read here, and those about policies, which pkijs works through. */
const UNDERSTOOD: ReadonlySet<string> = new Set([...Object.values(ID), '2.5.29.32', '2.5.29.33', '2.5.29.36', '2.5.29.54']);

const MAX_EXTENSIONS = 64;
const MAX_NAMES = 512;
