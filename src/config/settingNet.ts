/** Kinds of settings that hold addresses, prefixes, posture tags and algorithms. Text of addresses: RFC 5952. */
import {
  type EspProposal,
  espProposalWords,
  type IkeProposal,
  ikeProposalWords,
  parseEspProposal,
  parseIkeProposal,
  type UnservedWord,
} from '../../crypto/index.ts';
import { formatPostureTag, type PostureTag, parsePostureTag } from '../posture/index.ts';
import { addressOctets, addressText } from '../wire/index.ts';
import { lengthOfMask, masked, maskOfLength } from './address.ts';
import type { Prefix } from './model.ts';
import { type Kind, listOf, ok, type Reading, shown, single, unfit, wrong } from './setting.ts';

const octetsOf = (text: string, family: 4 | 6): Uint8Array | undefined => {
  const octets = addressOctets(text);
  return octets?.length === (family === 4 ? 4 : 16) ? octets : undefined;
};

function address(family: 4 | 6, fallback: string): Kind<Uint8Array> {
  const example = family === 4 ? '10.0.0.1' : '2001:db8::1';
  return single(
    `ipv${family}`,
    `an IPv${family} address`,
    octetsOf(fallback, family) ?? new Uint8Array(),
    [fallback],
    false,
    ({ text }) => {
      const octets = octetsOf(text, family);
      return octets === undefined
        ? unfit(text, `an IPv${family} address such as ${example}`, [])
        : ok(octets, addressText(octets));
    },
  );
}

/** An IPv4 address; 0.0.0.0 means none. */
export const ipv4 = (fallback = '0.0.0.0'): Kind<Uint8Array> => address(4, fallback);
/** An IPv6 address; :: means none. */
export const ipv6: Kind<Uint8Array> = address(6, '::');

/** A netmask, as the number of its ones. */
export function netmask(fallback: string): Kind<number> {
  const read = (text: string): number | undefined => {
    const octets = octetsOf(text, 4);
    return octets === undefined ? undefined : lengthOfMask(octets);
  };
  return single('netmask', 'a netmask', read(fallback) ?? 32, [fallback], false, ({ text }) => {
    const length = read(text);
    return length === undefined
      ? unfit(text, 'a netmask such as 255.255.255.0', [])
      : ok(length, addressText(maskOfLength(length)));
  });
}

/**
 * An IPv4 network: `10.0.0.0 255.0.0.0` or `10.0.0.0/8`.
 *
 * @param host keep the bits beyond the mask: the address of an interface
 */
export function subnet4(host = false): Kind<Prefix> {
  const allowed = 'an address with its netmask, such as 10.0.0.0 255.255.255.0 or 10.0.0.0/24';
  return {
    ...{
      kind: 'ipv4-network',
      allowed,
      fallback: { address: new Uint8Array(4), length: 0 },
      fallbackWords: ['0.0.0.0', '0.0.0.0'],
    },
    ...{ quoted: false, secret: false, many: false },
    read(words): Reading<Prefix> {
      const [first, second, extra] = words;
      const [start = '', bits] = (first?.text ?? '').split('/', 2);
      const octets = octetsOf(start, 4);
      if (octets === undefined) return unfit(first?.text ?? '', allowed, []);
      const mask = second === undefined ? undefined : octetsOf(second.text, 4);
      const length = bits === undefined ? (second === undefined ? 32 : mask && lengthOfMask(mask)) : bitCount(bits, 32);
      if (length === undefined)
        return { ...unfit(second?.text ?? first?.text ?? '', allowed, []), at: second === undefined ? 0 : 1 };
      const tooMany = bits === undefined ? extra : second;
      if (tooMany !== undefined)
        return { ok: false, at: words.indexOf(tooMany), message: `${shown(tooMany.text)} is one too many: ${allowed}` };
      const prefix = { address: host ? octets : masked(octets, length), length };
      return ok(prefix, addressText(prefix.address), addressText(maskOfLength(length)));
    },
  };
}

/** An IPv6 network, `2001:db8::/32`; without a length it is one address. */
export function prefix6(host = false): Kind<Prefix> {
  const allowed = 'an IPv6 prefix such as 2001:db8::/32';
  return single('ipv6-prefix', allowed, { address: new Uint8Array(16), length: 0 }, ['::/0'], false, ({ text }) => {
    const [start = '', bits] = text.split('/', 2);
    const octets = octetsOf(start, 6);
    const length = bits === undefined ? 128 : bitCount(bits, 128);
    if (octets === undefined || length === undefined) return unfit(text, allowed, []);
    const prefix = { address: host ? octets : masked(octets, length), length };
    return ok(prefix, `${addressText(prefix.address)}/${length}`);
  });
}

const bitCount = (text: string, max: number): number | undefined =>
  /^\d{1,3}$/.test(text) && Number(text) <= max ? Number(text) : undefined;

/** Posture tags in FortiOS' spelling. */
export const tags: Kind<readonly PostureTag[]> = listOf(
  'tags',
  'posture tags, EMS1_ZTNA_name or EMS1_CLASS_name',
  [],
  [],
  true,
  ({ text }) => {
    const tag = parsePostureTag(text);
    if (tag !== undefined) return ok(tag, formatPostureTag(tag));
    if (text.startsWith('MAC_'))
      return wrong(`${shown(text)} names hardware addresses, which VPN clients do not show: use it without MAC_`, text.slice(4));
    return wrong(`${shown(text)} is no posture tag: write EMS1_ZTNA_name or EMS1_CLASS_name, with an EMS from 1 to 7`);
  },
);

/** Words of phase 1 proposals in order of preference, those that are not served too. */
export const ikeProposals = (...fallback: readonly string[]): Kind<readonly (IkeProposal | UnservedWord)[]> =>
  proposals(ikeProposalWords, parseIkeProposal, fallback, 'aes128-sha256 or aes256gcm-prfsha384');
/** Words of phase 2 proposals. */
export const espProposals = (...fallback: readonly string[]): Kind<readonly (EspProposal | UnservedWord)[]> =>
  proposals(espProposalWords, parseEspProposal, fallback, 'aes128-sha256 or aes256gcm');

function proposals<P>(
  words: readonly string[],
  parse: (word: string) => P | undefined,
  fallback: readonly string[],
  examples: string,
): Kind<readonly P[]> {
  const values = fallback.map(parse).filter((value) => value !== undefined);
  return listOf('proposals', `words such as ${examples}`, values, fallback, false, ({ text }) => {
    const proposal = parse(text);
    return proposal === undefined ? unfit(text, `a proposal is a word such as ${examples}`, words) : ok(proposal, text);
  });
}
