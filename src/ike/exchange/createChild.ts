/**
 * CREATE_CHILD_SA for a child SA (RFC 7296 §1.3.1, §1.3.3, §2.8, §2.25):
 *   HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr}  -->
 *                                                     <--  HDR, SK {SA, Nr, [KEr,] TSi, TSr}
 */
import * as phrases from '../../log/phrases/index.ts';
import { Exchange, type Notify, notify, type Payload, Protocol } from '../../wire/index.ts';
import { makeChild, spiText } from '../child.ts';
import { sayInstalled } from '../establish.ts';
import { exchange, refuse, type Step } from '../exchange.ts';
import type { ChildSa, Established } from '../sa.ts';

/** Child SAs of one IKE SA at a time, rekeys in flight included: a client has one, a strange one a few (§2.8). */
export const CHILDREN_MAX = 8;

export const createChild = exchange({
  story: 'responder received CREATE_CHILD exchange',
  from: 'established',
  type: Exchange.CREATE_CHILD_SA,
  requires: ['SA', 'NONCE', 'TSi', 'TSr'],
  allows: ['KE'],
  request(sa, msg, env): Step {
    env.say('sa', phrases.receivedCreateChild);
    env.say('sa', phrases.respondedCreateChild);
    if (env.busy === 'rekey-ike' || env.busy === 'delete-ike') return answered(sa, [notify('TEMPORARY_FAILURE')]); // §2.25.2
    if (msg.NONCE.data.length < 16 || msg.NONCE.data.length > 256)
      return refuse('syntax', `nonce of ${msg.NONCE.data.length} octets`);
    const rekey = msg.all('N').find((n) => n.name === 'REKEY_SA');
    const old = rekey === undefined ? undefined : childOf(sa, rekey);
    if (rekey !== undefined && old === undefined)
      // §2.25: the SPI as we read it, never octets of the peer's that were not checked.
      return answered(sa, [notify('CHILD_SA_NOT_FOUND', undefined, spiTarget(rekey))]);
    if (old?.state === 'deleting') return answered(sa, [notify('TEMPORARY_FAILURE')]); // §2.25.1
    if (old === undefined && sa.children.length >= CHILDREN_MAX) return answered(sa, [notify('NO_ADDITIONAL_SAS')]); // §1.3
    if (sa.children.length >= 2 * CHILDREN_MAX) return answered(sa, [notify('NO_ADDITIONAL_SAS')]);
    if (sa.standing.kind === 'probation' && old === undefined) return answered(sa, [notify('TEMPORARY_FAILURE')]);
    if (sa.profile.modeCfg?.assign === true && sa.lease4 === undefined && sa.lease6 === undefined)
      return answered(sa, [notify('FAILED_CP_REQUIRED')]); // no lease: no source address that could be its own
    env.say('sa', phrases.creatingChild);
    const Nr = env.random(32);
    const outcome = makeChild(
      {
        basis: sa.basis,
        profile: sa.profile,
        instance: sa.instance,
        proposals: msg.SA.proposals,
        TSi: msg.TSi.selectors,
        TSr: msg.TSr.selectors,
        Ni: msg.NONCE.data,
        Nr,
        ke: msg.KE,
        inAuth: false,
        assigned4: sa.lease4?.address,
        assigned6: sa.lease6?.address,
        old,
      },
      env,
    );
    if (outcome.kind === 'refused')
      return outcome.name === 'INVALID_SYNTAX' ? refuse('syntax', outcome.why) : answered(sa, [outcome.notify]); // §2.21.3
    env.say('sa', phrases.preparingCreateChild);
    sayInstalled(outcome.child, env);
    if (old !== undefined) {
      env.rivalled(old.spiIn, msg.NONCE.data, Nr);
      env.tell({ kind: 'child-rekeyed', by: 'peer', spi: spiText(outcome.child.spiIn) });
    }
    const children = sa.children.map((c): ChildSa => (c === old ? { ...c, state: 'rekeyed' } : c)); // the peer deletes it (§2.8)
    const [proposal, ...rest] = outcome.payloads;
    const nonce: Payload = { kind: 'NONCE', data: Nr };
    return {
      kind: 'reply',
      to: { ...sa, children: [...children, outcome.child] },
      payloads: proposal === undefined ? [nonce] : [proposal, nonce, ...rest],
      installed: [outcome.keys],
    };
  },
});

const answered = (to: Established, payloads: readonly Payload[]): Step => ({ kind: 'reply', to, payloads });

/** §1.3.3: REKEY_SA names the SPI that the exchange's initiator expects inbound: our outbound one. */
function childOf(sa: Established, { protocol, spi }: Notify): ChildSa | undefined {
  if (protocol !== Protocol.ESP || spi.length !== 4) return undefined;
  return sa.children.find((c) => c.spiOut === readSpi(spi));
}

export const readSpi = (spi: Uint8Array): number => new DataView(spi.buffer, spi.byteOffset, spi.byteLength).getUint32(0);

/** A target for CHILD_SA_NOT_FOUND: four octets of an ESP SPI, or nothing. */
function spiTarget({ protocol, spi }: Notify): { readonly protocol: number; readonly spi: Uint8Array } {
  return protocol === Protocol.ESP && spi.length === 4 ? { protocol, spi: spi.slice() } : { protocol: 0, spi: new Uint8Array(0) };
}
