/** `postern ems gateway`: which gateways may ask. */
import { callAdmin, type EmsGateway } from '../../lab/index.ts';
import type { Values } from '../options.ts';
import type { Verb } from '../verb.ts';
import { ask, never, STATE, stateOf, table } from './ask.ts';

const list: Verb = {
  name: 'list',
  summary: 'show the gateways that asked or were decided on',
  text: ['Shows each gateway by the CN of its certificate (its serial number), with the certificate that is good or asks.'],
  options: [STATE],
  run: (values, terminal) =>
    ask({ verb: 'gateway list', values, terminal, name: 'gateway-list', takes: {} }, (gateways) =>
      gateways.length === 0
        ? ['no gateway has asked']
        : table(
            ['CN', 'STATE', 'FINGERPRINT (SHA-256)'],
            gateways.flatMap((gateway) => rowsOf(gateway)),
          ),
    ),
};

const authorize: Verb = {
  name: 'authorize',
  summary: 'let a gateway in',
  text: [
    'Lets in the gateway CN with the certificate that asks; compare its fingerprint first. One that has not asked yet is let',
    'in with the first certificate that comes with this CN, unless --fingerprint names it.',
  ],
  words: ['CN'],
  options: [{ name: 'fingerprint', value: 'SHA256', help: 'only the certificate with this fingerprint' }, STATE],
  run: (values, terminal) => {
    const fingerprint = values.one('fingerprint');
    const takes = { cn: cnOf(values), ...(fingerprint === undefined ? {} : { fingerprint }) };
    return ask({ verb: 'gateway authorize', values, terminal, name: 'gateway-authorize', takes }, ({ cn, fingerprint: good }) => [
      `${cn}: authorized, ${good === undefined ? 'the first certificate that comes' : good}`,
    ]);
  },
};

const deny: Verb = {
  name: 'deny',
  summary: 'keep a gateway out',
  text: ['Denies a gateway, whatever certificate it shows; what it has open is closed.'],
  words: ['CN'],
  options: [STATE],
  run: (values, terminal) =>
    ask({ verb: 'gateway deny', values, terminal, name: 'gateway-deny', takes: { cn: cnOf(values) } }, ({ cn }) => [
      `${cn}: denied`,
    ]),
};

const forget: Verb = {
  name: 'forget',
  summary: 'as if it had never asked',
  text: ['Forgets a gateway; what it has open is closed, and when it asks again it is pending.'],
  words: ['CN'],
  options: [STATE],
  run: (values, terminal) => {
    const cn = cnOf(values);
    const among = async () => (await callAdmin(stateOf(values), 'gateway-list', {})).map((g) => g.cn);
    const guess = { word: cn, among };
    return ask({ verb: 'gateway forget', values, terminal, name: 'gateway-forget', takes: { cn }, guess }, () => [
      `${cn}: forgotten`,
    ]);
  },
};

export const gateway: Verb = {
  name: 'gateway',
  summary: 'the gateways: list, authorize, deny, forget',
  text: ['The gateways that may ask this EMS. A gateway is the CN and the fingerprint of its client certificate.'],
  options: [],
  verbs: [list, authorize, deny, forget],
  run: never,
};

const cnOf = (values: Values): string => values.word('CN') ?? '';

function rowsOf({ cn, state, fingerprint, asks }: EmsGateway): readonly (readonly string[])[] {
  const any = state === 'authorized' ? 'the first that comes' : '';
  if (state === 'pending') return [[cn, state, asks ?? '']];
  return [[cn, state, fingerprint ?? any], ...(asks === undefined ? [] : [[cn, 'pending', `${asks} (another certificate)`]])];
}
