/**
 * Does a gateway's certificate lead to an authority that we take? Names, signatures, dates and the right to issue, while the
 * client waits; no revocation, no name constraints: a client that tries gateways out.
 */
import { X509Certificate } from 'node:crypto';
import type { Certificate } from '../../../crypto/index.ts';

/** Longest chain, leaf and authority included. */
const LONGEST = 8;

/** A judge for `GatewayAuth`: says why not, or nothing. `unix`: seconds since 1970. */
export function judgeOf(
  authorities: readonly Certificate[],
  unix: () => number,
): (leaf: Certificate, intermediates: readonly Certificate[]) => string | undefined {
  return (leaf, intermediates) => {
    let at = leaf;
    for (let depth = 1; depth < LONGEST; depth++) {
      const late = dateTrouble(at, unix());
      if (late !== undefined) return late;
      const anchor = authorities.find((one) => same(one, at) || issued(one, at));
      if (anchor !== undefined) return same(anchor, at) ? undefined : dateTrouble(anchor, unix());
      const next = intermediates.find((one) => one.isCa && !same(one, at) && issued(one, at));
      if (next === undefined) return `nobody in --ca has issued '${at.subject}' (issuer '${at.issuer}')`;
      at = next;
    }
    return `a chain of more than ${LONGEST} certificates`;
  };
}

const same = (a: Certificate, b: Certificate): boolean => Buffer.compare(a.der, b.der) === 0;

function issued(issuer: Certificate, subject: Certificate): boolean {
  if (!issuer.isCa) return false;
  const [above, below] = [new X509Certificate(issuer.der), new X509Certificate(subject.der)];
  return below.checkIssued(above) && below.verify(issuer.publicKey);
}

function dateTrouble({ subject, notBefore, notAfter }: Certificate, now: number): string | undefined {
  if (now < notBefore) return `'${subject}' is not valid yet`;
  return now > notAfter ? `'${subject}' has expired` : undefined;
}
