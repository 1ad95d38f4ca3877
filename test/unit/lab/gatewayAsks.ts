/** What the scripted gateway asks of a client by itself: rekeys of both kinds, deletes. */
import type { Child } from '../../../src/lab/index.ts';
import { ikeSpi, notify, type Payload, spiOctets, unhex } from '../../../src/wire/index.ts';
import { type FakeGateway, view } from './fakeGateway.ts';

const CREATE_CHILD_SA = 36;
export const spiText = (spi: number | undefined) => (spi ?? 0).toString(16).padStart(8, '0');
export type IkeHalf = ReturnType<typeof askIkeRekey>;

/** Asks the client for a child in the place of this one; gives the nonce. `ke`: with a group, and a public value of one. */
export function askRekey(
  g: FakeGateway,
  child: Child | undefined,
  Ni = g.random.octets(32),
  ke?: { readonly group: number; readonly says: number },
): Uint8Array {
  const transforms = [
    { type: 1, id: 20, keyLength: 256 },
    ...(ke === undefined ? [] : [{ type: 4, id: ke.group, keyLength: 0 }]),
    { type: 5, id: 0, keyLength: 0 },
  ];
  const spi = Uint8Array.of(0x66, 1, 2, 3);
  g.request(
    [
      notify('REKEY_SA', undefined, { protocol: 3, spi: unhex(spiText(child?.spiOut)) }),
      { kind: 'SA', proposals: [{ number: 1, protocol: 3, spi, transforms }] },
      { kind: 'NONCE', data: Ni },
      ...(ke === undefined ? [] : [{ kind: 'KE', group: ke.says, data: g.pair(ke.says).publicValue } as const]),
      { kind: 'TSi', selectors: child?.TSr ?? [] },
      { kind: 'TSr', selectors: child?.TSi ?? [] },
    ],
    CREATE_CHILD_SA,
  );
  return Ni;
}

/** Asks for another IKE SA; gives what is needed to take it up. */
export function askIkeRekey(g: FakeGateway, Ni = g.random.octets(32), says = 31) {
  const [SPIi, pair] = [ikeSpi(g.random.octets(8)), g.pair(31)];
  const transforms = [
    { type: 1, id: 20, keyLength: 256 },
    { type: 2, id: 5, keyLength: 0 },
    { type: 4, id: 31, keyLength: 0 },
  ];
  g.request(
    [
      { kind: 'SA', proposals: [{ number: 1, protocol: 1, spi: spiOctets(SPIi), transforms }] },
      { kind: 'NONCE', data: Ni },
      { kind: 'KE', group: says, data: pair.publicValue },
    ],
    CREATE_CHILD_SA,
  );
  return { Ni, SPIi, pair };
}

/** Takes up the SA of the client's answer. */
export function takeIkeRekey(g: FakeGateway, { Ni, SPIi, pair }: IkeHalf, old = g.sa): void {
  const { SA, KE, NONCE } = view(g.answers.at(-1)?.payloads ?? []);
  const shared = KE && pair.agree(KE.data);
  if (shared === undefined || NONCE === undefined) throw new Error('no answer to a rekey');
  const SPIr = ikeSpi(SA?.proposals[0]?.spi ?? new Uint8Array(8));
  g.rekeyed(old, { SPIi, SPIr, clientFirst: false, Ni, Nr: NONCE.data, shared });
}

export const D = (spi: Uint8Array): Payload => ({ kind: 'D', protocol: 3, spiSize: 4, spis: [spi] });
export const D_IKE: Payload = { kind: 'D', protocol: 1, spiSize: 0, spis: [] };
