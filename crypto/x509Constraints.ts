/**
 * Name constraints (RFC 5280 §4.2.1.10): which names an authority may give to those below it. Checked here as well as by
 * pkijs, whose comparison reads fewer name forms and takes a constraint it cannot parse for none.
 */
import type { Certificate } from './x509.ts';
import type { NameConstraints } from './x509Extensions.ts';
import {
  type Attribute,
  COMMON_NAME,
  comparableName,
  EMAIL_ADDRESS,
  foldDns,
  type GeneralName,
  isPlain,
  sameEmail,
} from './x509Name.ts';

/** Why this certificate may not stand below an authority with these constraints; undefined when it may. */
export function constraintFault(cert: Certificate, { permitted, excluded }: NameConstraints): string | undefined {
  for (const name of namesOf(cert)) {
    if (excluded.some((base) => isSameForm(base, name) && covers(base, name) !== false)) return `${shown(name)} is excluded`;
    const mayBe = permitted.filter((base) => isSameForm(base, name));
    if (mayBe.length > 0 && !mayBe.some((base) => covers(base, name) === true)) return `${shown(name)} is not permitted`;
  }
  return undefined;
}

/**
 * All that the certificate says its holder is called: subjectAltName, the subject, and the texts of the subject that
 * `certificateMatches` would take for a host name or a mail address.
 */
function namesOf({ fields, cn }: Certificate): readonly GeneralName[] {
  const { altNames, subjectName } = fields;
  const names: GeneralName[] = [...altNames];
  if (subjectName.length > 0) names.push({ kind: 'directory', name: subjectName });
  for (const { type, text } of subjectName) if (type === EMAIL_ADDRESS && text !== undefined) names.push({ kind: 'email', text });
  const has = (kind: GeneralName['kind']) => altNames.some((name) => name.kind === kind);
  if (cn?.includes('@') && !has('email')) names.push({ kind: 'email', text: cn });
  else if (cn !== undefined && /^[\w-]+(\.[\w-]+)+\.?$/.test(cn) && !has('dns')) names.push({ kind: 'dns', text: cn });
  return names;
}

const isSameForm = (base: GeneralName, name: GeneralName): boolean =>
  base.kind === 'other' ? name.kind === 'other' && name.tag === base.tag : base.kind === name.kind;

/** Is the name in the subtree? undefined when nobody here can say: neither permitted nor free of an exclusion. */
function covers(base: GeneralName, name: GeneralName): boolean | undefined {
  if (base.kind === 'dns' && name.kind === 'dns')
    return isBelow(name.text, base.text) || foldDns(base.text) === foldDns(name.text);
  if (base.kind === 'email' && name.kind === 'email') return coversEmail(base.text, name.text);
  if (base.kind === 'uri' && name.kind === 'uri') return coversUri(base.text, name.text);
  if (base.kind === 'address' && name.kind === 'address') return coversAddress(base.octets, name.octets);
  if (base.kind === 'directory' && name.kind === 'directory') return startsWith(name.name, base.name);
  return undefined;
}

/** `a.b.example` is below `b.example` and `.b.example`; everything is below the empty name. */
function isBelow(name: string, base: string): boolean {
  const zone = foldDns(base).replace(/^\./, '');
  return zone === '' || foldDns(name).endsWith(`.${zone}`);
}

/** A constraint is a mailbox, a host (that host's mailboxes), or a domain with a leading dot (hosts below it). */
function coversEmail(base: string, email: string): boolean {
  if (base.includes('@')) return sameEmail(base, email);
  return coversHost(base, email.slice(email.lastIndexOf('@') + 1));
}

/** A constraint is a host, or a domain with a leading dot; a URI without a host name cannot be judged. */
function coversUri(base: string, uri: string): boolean | undefined {
  const host = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#:@[\]]+)(?::\d*)?(?:[/?#]|$)/.exec(uri)?.[1];
  return host === undefined || /^[\d.]+$/.test(host) ? undefined : coversHost(base, host);
}

const coversHost = (base: string, host: string): boolean =>
  base === '' || (base.startsWith('.') ? isBelow(host, base) : foldDns(base) === foldDns(host));

/** `base` is an address and its mask. */
function coversAddress(base: Uint8Array, address: Uint8Array): boolean {
  const { length } = address;
  if (base.length !== 2 * length) return false;
  return address.every((octet, i) => ((octet ^ (base[i] ?? 0)) & (base[length + i] ?? 0)) === 0);
}

/** RDN for RDN, as names are compared. */
function startsWith(name: readonly Attribute[], base: readonly Attribute[]): boolean {
  const head = name.slice(0, base.length);
  // A base that ends inside a multi-valued RDN is no prefix of it.
  return name[base.length]?.joined !== true && comparableName(head) === comparableName(base);
}

function shown(name: GeneralName): string {
  switch (name.kind) {
    case 'dns':
    case 'email':
    case 'uri':
      return isPlain(name.text) ? `'${name.text.slice(0, 128)}'` : `a name of kind ${name.kind}`;
    case 'directory': {
      const cn = name.name.find(({ type }) => type === COMMON_NAME)?.text;
      return cn !== undefined && isPlain(cn) ? `the subject with common name '${cn.slice(0, 128)}'` : 'the subject';
    }
    case 'address':
      return 'an address';
    case 'other':
      return `a name with tag ${name.tag}`;
  }
}
