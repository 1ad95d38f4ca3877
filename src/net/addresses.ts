/**
 * Which local addresses to listen on. Node gives no IP_PKTINFO, so that a wildcard socket would not know which of our
 * addresses a datagram came to, and would answer from another one: a wildcard becomes one socket per address.
 */
import { networkInterfaces } from 'node:os';
import type { AddressRange } from './prefixes.ts';
import { EnvironmentRefused } from './refusal.ts';
import { addressOctets } from './sockaddr.ts';

/** An address of this machine: `name` is its interface. */
export type LocalAddress = { readonly name: string; readonly address: string; readonly family: 4 | 6 };

/** All addresses of this machine that a peer can be answered from: no link-local ones, they need a scope that IKE cannot say. */
export function localAddresses(interfaces = networkInterfaces()): readonly LocalAddress[] {
  const all: LocalAddress[] = [];
  for (const [name, entries] of Object.entries(interfaces)) {
    for (const { address, family, ...rest } of entries ?? []) {
      if (isLinkLocal(address) || ('scopeid' in rest && rest.scopeid !== 0)) continue;
      if (!all.some((known) => known.address === address)) all.push({ name, address, family: family === 'IPv6' ? 6 : 4 });
    }
  }
  return all;
}

/** True for fe80::/10 and 169.254.0.0/16, with or without a zone. */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(address) || address.startsWith('169.254.') || address.includes('%');
}

export type ListenPlan = {
  readonly addresses: readonly LocalAddress[];
  /** Those of them that were asked for by name: they stay whatever the interfaces do. */
  readonly fixed: readonly string[];
  /** The wildcards that were asked for: their addresses may come and go while we run. */
  readonly wildcard: readonly (4 | 6)[];
};

/**
 * Resolves what was asked for into addresses.
 *
 * @param wanted addresses as text; `0.0.0.0` and `::` stand for all of their family, an empty list for all of both
 * @throws EnvironmentRefused for a text that is no address, a link-local one, or a machine without any address
 */
export function listenPlan(wanted: readonly string[], local: readonly LocalAddress[] = localAddresses()): ListenPlan {
  const wildcard: (4 | 6)[] = [];
  const addresses: LocalAddress[] = [];
  const fixed: string[] = [];
  const add = (one: LocalAddress) => {
    if (!addresses.some((known) => known.address === one.address)) addresses.push(one);
  };
  for (const text of wanted.length === 0 ? ['0.0.0.0', '::'] : wanted) {
    const asked = canonical(text, local);
    const family = asked === '0.0.0.0' ? 4 : asked === '::' ? 6 : undefined;
    if (family === undefined) {
      fixed.push(asked);
      add({ name: local.find((l) => l.address === asked)?.name ?? '', address: asked, family: asked.includes(':') ? 6 : 4 });
    } else if (!wildcard.includes(family)) {
      wildcard.push(family);
      for (const one of local) if (one.family === family) add(one);
    }
  }
  if (addresses.length > 0) return { addresses, fixed, wildcard };
  throw new EnvironmentRefused(
    'EADDRNOTAVAIL',
    `No interface of this machine has an address for ${wanted.join(' ') || 'IPv4 or IPv6'}.`,
    'Bring an interface up (`ip addr`), or name an address with --listen ADDR.',
  );
}

/** The list of local addresses for an error message. */
export function addressList(local: readonly LocalAddress[] = localAddresses()): string {
  return local.map((l) => `${l.address} (${l.name})`).join(', ') || 'none';
}

function canonical(text: string, local: readonly LocalAddress[]): string {
  const bad = (what: string) =>
    new EnvironmentRefused('EINVAL', `Cannot listen on '${text}': ${what}.`, `This machine has: ${addressList(local)}.`);
  if (isLinkLocal(text)) throw bad('link-local addresses are not served');
  // The URL parser is the platform's own canonicaliser of IPv6 text; of IPv4 it takes too much (`1` is 0.0.0.1).
  if (/^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(text)) return text;
  const url = text.includes(':') ? URL.parse(`udp6://[${text}]/`) : null;
  if (url === null) throw bad('it is not an IPv4 or IPv6 address');
  return url.hostname.slice(1, -1);
}

/** The networks that the interfaces of this machine are in, but those of one device. */
export function localNetworks(except: string | undefined, interfaces = networkInterfaces()): readonly AddressRange[] {
  return Object.entries(interfaces).flatMap(([name, entries]) =>
    (name === except ? [] : (entries ?? [])).flatMap(({ address, netmask }) => {
      const [octets, mask] = [addressOctets(address), addressOctets(netmask)];
      if (octets === undefined || mask === undefined || octets.length !== mask.length) return [];
      return {
        start: octets.map((octet, i) => octet & (mask[i] ?? 0)),
        end: octets.map((octet, i) => octet | (~(mask[i] ?? 0) & 255)),
      };
    }),
  );
}
