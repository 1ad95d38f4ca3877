/**
 * What a FortiClient tells in its IKE_AUTH requests: FORTICLIENT_CONNECT and, maybe, its token. Both may come in any of them and
 * are sealed until the peer is authenticated; of each the first counts.
 */
import * as phrases from '../log/phrases/index.ts';
import { type ClientClaims, isZtnaTag, type Notify, parseClientClaims } from '../wire/index.ts';
import { Claimed } from './claimed.ts';
import type { Env } from './exchange.ts';
import type { Token, Told } from './sa.ts';
import { tokenText } from './tokenText.ts';

export const NOTHING_TOLD: Told = { claims: undefined, token: undefined };

/** Adds what stands in one more request; gives `told` itself when that is nothing. */
export function hear(told: Told, notifies: readonly Notify[], env: Env): Told {
  let { claims, token } = told;
  for (const n of notifies) {
    if (n.name === 'FORTICLIENT_CONNECT') claims ??= new Claimed<ClientClaims>(parseClientClaims(n.data));
    else if (n.name === 'UNKNOWN') token ??= tokenIn(n, undefined, env);
  }
  return claims === told.claims && token === told.token ? told : { claims, token };
}

/** The token of a notify, sealed; undefined when it is none. */
function tokenIn(
  n: Extract<Notify, { readonly name: 'UNKNOWN' }>,
  learned: number | undefined,
  env: Env,
): Claimed<Token> | undefined {
  if (!isZtnaTag(n.type, n.data, env.config.posture, learned)) return undefined;
  return new Claimed({ number: n.type, octets: n.data.slice() }); // its own octets: the datagram must not live as long
}

/** The token in an authenticated message, told as FortiOS does; the last one counts. `had`: the number of those before. */
export function tokenFrom(notifies: readonly Notify[], had: number | undefined, env: Env): Token | undefined {
  let token: Token | undefined;
  for (const n of notifies) {
    if (n.name !== 'UNKNOWN' || !isZtnaTag(n.type, n.data, env.config.posture, token?.number ?? had)) continue;
    token = { number: n.type, octets: n.data.slice() };
  }
  if (token !== undefined) sayToken(token, had, env);
  return token;
}

/** ours: the number is reported once, so that an operator can pin it. */
export function sayToken({ number, octets }: Token, had: number | undefined, env: Env): void {
  env.say('sa', phrases.processingNotify, 'ZTNA_TAG');
  if (had === undefined && env.config.posture.ztnaTagNotify === undefined) {
    env.say('sa', phrases.tokenNumber, number);
    env.tell({ kind: 'token-number', number });
  }
  env.say('sa', phrases.tokenData, octets.length, tokenText(octets));
}
