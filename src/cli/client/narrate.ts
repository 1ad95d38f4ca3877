/** What a client lives through, in short lines for people: what happened, and what it usually means. */

import type { Spoken } from '../../lab/index.ts';
import { describePayloads, exchangeName, notifyTypeName, printable } from '../../wire/index.ts';
import type { ClientEnd, ClientEvent } from './runner.ts';

/** Numbers of the gateway's two private notifies, where they are known. */
export type PrivateNames = { readonly success: number | undefined; readonly failure: number | undefined };

export type Narrator = {
  readonly names: PrivateNames;
  /** Seconds since 1970, for what is left of a token. */
  readonly unix: () => number;
  /** How it is to end: 'Ctrl-C hangs up'. */
  readonly ends: string;
};

/** One event as lines. Nothing in it comes from a token or a secret. */
export function linesOf(event: ClientEvent, { names, unix, ends }: Narrator): readonly string[] {
  switch (event.kind) {
    case 'connected': {
      const { gateway, proof, addresses, children, nat } = event;
      return [
        `connected to ${gateway}; the gateway proved itself by ${proof}${nat ? '; there is a NAT in between' : ''}`,
        `address ${addresses.join(' ') || 'none'}, ${children} child SA; ${ends}`,
      ];
    }
    case 'child':
      return [`child SA ${event.ours} to ${event.theirs}`];
    case 'no-child':
      return [
        `no child SA${event.notify === undefined ? '' : `: ${nameOf(event.notify, names)}${because(event.notify, names)}`}`,
      ];
    case 'child-gone':
      return [`a child SA is gone; ${event.open} left`];
    case 'rekeyed':
      return ['the IKE SA has new keys'];
    case 'token': {
      const left = event.ends === undefined ? '' : `; it ends in ${Math.max(0, Math.round(event.ends - unix()))} s`;
      if (event.because === 'connecting') return [`the token goes with it${left}`];
      return [`a fresh token was sent${event.because === 'changed' ? ', because there is another' : ''}${left}`];
    }
    case 'token-answered':
      return [event.error === '' ? 'the gateway has the token' : `the gateway's answer to the token: ${event.error}`];
    case 'token-trouble':
      return [`no fresh token: ${event.why}`];
    case 'notify':
      return [`the gateway sent ${nameOf(event.number, names)}${because(event.number, names)}`];
    case 'violation':
      return [`the gateway is not as it should be: ${event.what}`];
    case 'ping':
      return [`answer from ${event.address}: seq=${event.seq} time=${event.ms.toFixed(1)} ms`];
    case 'pinged': {
      if (event.why !== '') return [`no ping: ${event.why}`];
      return [`ping ${event.address}: ${event.sent} sent, ${event.received} answered`];
    }
    case 'ended':
      return endLines(event, names);
  }
}

function endLines(end: ClientEnd, names: PrivateNames): readonly string[] {
  const meaning = meaningOf(end, names);
  const why = end.why === '' ? '' : `: ${end.why}`;
  const named = end.notify !== undefined && (end.notify === names.success || end.notify === names.failure);
  const name = named ? `, ${nameOf(end.notify, names)}` : '';
  return [`${HOW[end.how](end.established)}${why}${name}`, ...(meaning === '' ? [] : [`usually: ${meaning}`])];
}

const HOW: Readonly<Record<ClientEnd['how'], (established: boolean) => string>> = {
  'hung-up': (established) => (established ? 'hung up' : 'given up: not connected'),
  refused: () => 'not connected',
  ended: () => 'the gateway has ended it',
  silent: (established) => (established ? 'the gateway is gone' : 'not connected'),
  distrusted: (established) => (established ? 'we have ended it' : 'not connected'),
};

/** What the end usually means, and where to look; '' where there is nothing to say. */
export function meaningOf(end: ClientEnd, names: PrivateNames): string {
  switch (end.how) {
    case 'hung-up':
      return '';
    case 'silent':
      if (end.established) return 'it has started anew, or the way to it is broken';
      return end.why.includes('IKE_SA_INIT')
        ? 'no gateway at this address and port, a firewall in between, or a gateway that is silent when no profile is for us'
        : 'a gateway that refuses in silence, as FortiOS mostly does: its debug stream says why';
    case 'distrusted':
      return end.why.includes('pre-shared key') ? 'another pre-shared key than that of the profile' : '';
    case 'refused':
      if (end.why.includes('E=691')) return 'a wrong user or password, or a user in no group of the profile';
      return end.notify === undefined ? '' : (meaningOfNotify(end.notify, names) ?? '');
    case 'ended':
      if (end.notify !== undefined) return meaningOfNotify(end.notify, names) ?? '';
      return "an administrator's word, a lost tag, a token or a lifetime at its end: the gateway's log says which";
  }
}

const because = (number: number, names: PrivateNames): string => {
  const meaning = meaningOfNotify(number, names);
  return meaning === undefined ? '' : `: ${meaning}`;
};

function nameOf(number: number, { success, failure }: PrivateNames): string {
  if (number === success) return `EMS_ZTNA_TAGS_CHECK_SUCCESS (${number})`;
  if (number === failure) return `ZTNA tags check failure (${number})`;
  const name = notifyTypeName(number);
  return name === `${number}` ? `notify ${number}` : `${name} (${number})`;
}

function meaningOfNotify(number: number, { success, failure }: PrivateNames): string | undefined {
  if (number === success) return 'the tags in the token are good';
  if (number === failure) return 'the device has none of the tags that the profile wants';
  if (number >= 8192 && number < 16_384)
    return "a private error, most likely a failed check of the device's tags; --failure-notify names it";
  return MEANINGS[number];
}

/** By number: who reads this has a gateway that says no more than the number. */
const MEANINGS: Readonly<Record<number, string>> = {
  1: 'we sent something critical that the gateway does not know',
  4: 'the gateway does not know this IKE SA: it has started anew',
  7: 'the gateway could not read what we sent, or expected something else at this point',
  14: 'no common proposal: compare --proposal, --dhgrp and --esp with `set proposal` and `set dhgrp` of the profile',
  17: 'the gateway wants a Diffie-Hellman group that we did not offer: see --dhgrp',
  24: "the identity, key, password, certificate or posture is not accepted: which, only the gateway's log says",
  34: 'the gateway wants a single pair of addresses for each child SA',
  35: 'the gateway takes no more child SAs on this IKE SA',
  36: 'the pool of addresses is empty: `diagnose vpn ike gateway list` shows who has them',
  37: 'the gateway wants a client that asks for an address',
  38: 'our traffic selectors and those of phase 2 have nothing in common',
  43: 'the gateway is in the middle of something: try again',
};

/** A message in one line, names of payloads only: '> IKE_AUTH request 1: IDi SA TSi TSr'. */
export function messageLine({ by, exchange, response, messageId, payloads }: Spoken): string {
  const what = payloads.length === 0 ? '(empty)' : describePayloads(payloads);
  const kind = `${exchangeName(exchange)} ${response ? 'response' : 'request'} ${messageId}`;
  return printable(`${by === 'us' ? '>' : '<'} ${kind}: ${what}`, 500);
}
