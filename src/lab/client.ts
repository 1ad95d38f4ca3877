/**
 * The lab client: an IKEv2 initiator shaped like FortiClient or strongSwan, as a synchronous machine without sockets or clock.
 * It shares codecs and algorithms with the gateway and no protocol logic, and checks all that an initiator can check: it is a
 * judge of the gateway (RFC 7296, RFC 7383, RFC 7427).
 *
 *   idle ──start──► init ──► auth ──► (eap ──► auth) ──► established ──► closed
 *                      └────────┴───────► failed
 *
 * Times are milliseconds of one clock that never goes back. What comes out waits in `take`; `deadline` says when to `tick`.
 */
import { classify, decodeHeader, Exchange, equal, type Header, Malformed, type Payload, Protocol } from '../wire/index.ts';
import { answer, refuseSyntax } from './answer.ts';
import { authAnswer, failAndTell } from './auth.ts';
import { errorIn } from './child.ts';
import {
  type Core,
  type Datagram,
  drop,
  emit,
  end,
  type Flight,
  type IkeSa,
  newCore,
  notifyName,
  outcome,
  type Pending,
  type Purpose,
  refusedBy,
  remember,
  repeat,
  request,
  runQueue,
  violation,
  whenFree,
} from './core.ts';
import { childAnswer, createChild, deleteChildren, deletedAnswer } from './create.ts';
import { tokenNotify } from './fortinet.ts';
import { beginInit, initAnswer } from './init.ts';
import { type Endpoint, type LabOptions, settle } from './options.ts';
import { open, Reassembly } from './protect.ts';
import { ikeAnswer, rekeyIke } from './rekey.ts';
import { type LabStatus, statusOf } from './status.ts';

/** How a datagram came: needed where a NAT is in between; without it, it came from where we send to. */
export type Way = { readonly from: Endpoint; readonly to: Endpoint };

export class LabClient {
  readonly #core: Core;

  /** Throws RangeError for options that make no client: a word that is no proposal, an impairment that is none. */
  constructor(options: LabOptions) {
    this.#core = newCore(settle(options));
  }

  /** Sends IKE_SA_INIT. Only once. */
  start(now: number): void {
    this.#core.now = now;
    if (this.#core.stage.at !== 'idle') throw new RangeError('this client has been started already');
    beginInit(this.#core);
  }

  /** A UDP payload, as it came: with its marker on the NAT-T port. Never throws for any octets. */
  datagram(octets: Uint8Array, now: number, way?: Way): void {
    const core = this.#core;
    core.now = now;
    core.counters.received += 1;
    const { from, to } = way ?? { from: core.path.remote, to: core.path.local };
    const what = classify(octets, core.path.local.port === to.port ? core.path.natt : to.port === core.o.nattPorts.local);
    switch (what.kind) {
      case 'esp':
        core.counters.esp += 1;
        return this.#esp(octets);
      case 'keepalive':
        return;
      case 'junk':
        return drop(core, what.why);
      case 'ike':
        return this.#message(what.octets, { from, to });
    }
  }

  /**
   * Sends an inner packet through the tunnel. False: there is no child for it, or it could only go without UDP around it, which
   * we do not do; `status.esp` counts why.
   */
  inner(packet: Uint8Array, now: number): boolean {
    const core = this.#core;
    core.now = now;
    core.esp.follow(core.children, now);
    const { local: from, remote: to, natt } = core.path;
    const octets = natt ? core.esp.seal(packet) : core.esp.drop('unencapsulated');
    if (typeof octets === 'string') return false;
    core.outbox.push({ from, to, octets });
    if (core.keepaliveAt !== undefined && core.o.keepalive !== undefined) core.keepaliveAt = now + core.o.keepalive;
    return true;
  }

  /** Says again what is due, gives up where that was enough. */
  tick(now: number): void {
    const core = this.#core;
    core.now = now;
    const { stage } = core;
    if (stage.at === 'init' && !repeat(core, stage.flight)) {
      if (stage.heard === undefined) end(core, 'failed', 'no answer to IKE_SA_INIT', SILENCE);
      else end(core, 'failed', notifyName(stage.heard), refusedBy(stage.heard));
    }
    for (const sa of [...core.sas.values()]) {
      if (sa.pending === undefined || repeat(core, sa.pending.flight)) continue;
      core.sas.delete(sa.own);
      if (sa !== core.ike) continue;
      end(core, core.stage.at === 'established' ? 'closed' : 'failed', `no answer to ${saidIn(sa.pending)}`, SILENCE);
    }
    if (core.keepaliveAt !== undefined && core.keepaliveAt <= now) this.#keepalive();
  }

  /** When to `tick` next; undefined: nothing is due. */
  deadline(): number | undefined {
    const { stage, sas, keepaliveAt } = this.#core;
    const flights: Flight[] = stage.at === 'init' ? [stage.flight] : [];
    for (const { pending } of sas.values()) if (pending !== undefined) flights.push(pending.flight);
    const dues = flights.map((f) => f.due);
    if (keepaliveAt !== undefined) dues.push(keepaliveAt);
    return dues.length === 0 ? undefined : Math.min(...dues);
  }

  /** What was to be sent since the last time; octets have their marker. */
  take(): readonly Datagram[] {
    return this.#core.outbox.splice(0);
  }

  get status(): LabStatus {
    return statusOf(this.#core);
  }

  /** The stage alone, for loops that cannot pay for a whole status. */
  get at(): LabStatus['at'] {
    return this.#core.stage.at;
  }

  /** The number of children that carry traffic. */
  get installed(): number {
    return this.#core.children.filter((c) => c.state === 'installed').length;
  }

  /**
   * Another child in the place of one: that with this inbound SPI, or the newest. `pfs`: with a Diffie-Hellman exchange of its
   * own, in the configured groups or in this one.
   */
  rekeyChild(now: number, { pfs = false, spiIn }: { readonly pfs?: boolean | number; readonly spiIn?: number } = {}): void {
    this.#whenFree(now, 'rekey-child', (core, sa) => {
      const old = core.children.findLast((c) => c.state === 'installed' && (spiIn === undefined || c.spiIn === spiIn));
      if (old === undefined) return outcome(core, 'rekey-child', 'no such child');
      createChild(core, sa, { TSi: old.TSi, TSr: old.TSr, groups: this.#groups(pfs), rekeys: old });
    });
  }

  /** One more child, with the configured selectors unless said. */
  createChild(now: number, wish: Partial<Pick<LabOptions, 'TSi' | 'TSr'>> & { readonly pfs?: boolean | number } = {}): void {
    this.#whenFree(now, 'create-child', (core, sa) => {
      const { TSi, TSr } = { TSi: core.o.TSi, TSr: core.o.TSr, ...wish };
      createChild(core, sa, { TSi, TSr, groups: this.#groups(wish.pfs ?? false) });
    });
  }

  /** Another IKE SA in the place of this one, with a public value of the present group unless said. */
  rekeyIke(now: number, { group }: { readonly group?: number } = {}): void {
    this.#whenFree(now, 'rekey-ike', (core, sa) => rekeyIke(core, sa, group));
  }

  /** An empty INFORMATIONAL. */
  liveness(now: number): void {
    this.#whenFree(now, 'liveness', (core, sa) => request(core, sa, Exchange.INFORMATIONAL, [], { kind: 'liveness' }));
  }

  /** An INFORMATIONAL with these payloads. */
  informational(now: number, payloads: readonly Payload[]): void {
    this.#whenFree(now, 'informational', (core, sa) =>
      request(core, sa, Exchange.INFORMATIONAL, payloads, { kind: 'informational' }),
    );
  }

  /** A fresh token in an INFORMATIONAL; `number` is the notify's, the configured one unless said. RangeError: there is none. */
  sendToken(now: number, token: string | Uint8Array, number = this.#core.o.ztna?.number): void {
    if (number === undefined) throw new RangeError('the number of ZTNA_TAG is not known');
    const notify = tokenNotify(number, token, this.#core.o.ztna?.nul);
    this.#whenFree(now, 'token', (core, sa) => request(core, sa, Exchange.INFORMATIONAL, [notify], { kind: 'token' }));
  }

  /** Any exchange type with any payloads: what no honest client sends. */
  strange(now: number, exchange: number, payloads: readonly Payload[]): void {
    this.#whenFree(now, 'strange', (core, sa) => request(core, sa, exchange, payloads, { kind: 'informational' }));
  }

  /** Deletes the child with this inbound SPI, or all. */
  deleteChild(now: number, spiIn?: number): void {
    this.#core.now = now;
    const spis = this.#core.children.map((c) => c.spiIn).filter((spi) => spiIn === undefined || spi === spiIn);
    if (spis.length === 0) outcome(this.#core, 'delete-child', 'no such child');
    else deleteChildren(this.#core, spis, false);
  }

  /** Deletes the IKE SA with all its children; closed when that is answered. Before it is established it just ends. */
  deleteIke(now: number): void {
    const core = this.#core;
    core.now = now;
    if (core.stage.at !== 'established') return end(core, 'closed', 'given up');
    whenFree(core, () => {
      const sa = core.ike;
      if (sa === undefined) return;
      sa.standing = 'deleting';
      const D: Payload = { kind: 'D', protocol: Protocol.IKE, spiSize: 0, spis: [] };
      request(core, sa, Exchange.INFORMATIONAL, [D], { kind: 'delete-ike' });
    });
  }

  #whenFree(now: number, verb: string, work: (core: Core, sa: IkeSa) => void): void {
    const core = this.#core;
    core.now = now;
    if (core.stage.at === 'failed' || core.stage.at === 'closed') return outcome(core, verb, `the client has ${core.stage.at}`);
    whenFree(core, () => {
      if (core.ike !== undefined) work(core, core.ike);
    });
  }

  #groups(pfs: boolean | number): readonly number[] {
    if (typeof pfs === 'number') return [pfs];
    return pfs ? this.#core.o.childGroups : [];
  }

  #message(octets: Uint8Array, way: Way): void {
    const core = this.#core;
    let header: Header;
    try {
      header = decodeHeader(octets);
    } catch (error) {
      if (error instanceof Malformed) return drop(core, error.message);
      throw error;
    }
    if (header.major !== 2) return drop(core, `version ${header.major}`);
    if (header.exchange === Exchange.IKE_SA_INIT) return this.#init(octets, header, way);
    // The flag says who began the SA: not the sender means we did, and the first SPI is ours.
    const own = header.initiator ? header.SPIr : header.SPIi;
    const sa = core.sas.get(own) ?? core.ended.find((e) => e.own === own);
    if (sa === undefined || sa.SPIi !== header.SPIi || sa.SPIr !== header.SPIr) return drop(core, 'no SA of these SPIs');
    if (header.response) this.#response(sa, octets, header);
    else this.#request(sa, octets, header);
    runQueue(core);
    core.esp.follow(core.children, core.now);
  }

  #esp(octets: Uint8Array): void {
    const { esp, children, now, o } = this.#core;
    esp.follow(children, now);
    const packet = esp.open(octets);
    if (typeof packet !== 'string') o.onInner?.(packet);
  }

  #init(octets: Uint8Array, header: Header, way: Way): void {
    const { stage } = this.#core;
    if (stage.at !== 'init') return this.#lateInit(octets, header);
    if (!header.response || header.initiator || header.messageId !== 0 || header.SPIi !== stage.SPIi)
      return drop(this.#core, 'IKE_SA_INIT that is no answer to ours');
    initAnswer(this.#core, stage, octets, header, way);
  }

  #lateInit(octets: Uint8Array, header: Header): void {
    const core = this.#core;
    const first = core.message2;
    // Cookies and other groups come late too; only what has our SPIs is a second answer to the same request.
    const sameSa = first !== undefined && equal(first.subarray(0, SPIS), octets.subarray(0, SPIS));
    if (sameSa && header.response && !equal(first, octets)) violation(core, 'another answer to the same IKE_SA_INIT (§2.1)');
    drop(core, 'IKE_SA_INIT once more');
  }

  #response(sa: IkeSa, octets: Uint8Array, header: Header): void {
    const core = this.#core;
    const { pending } = sa;
    if (pending === undefined || header.messageId !== pending.flight.messageId) return this.#late(sa, octets, header);
    if (header.exchange !== pending.flight.exchange) return drop(core, `exchange ${header.exchange} in an answer`);
    const opened = open(sa.channel, octets, header, core.fragments ? sa.responses : undefined);
    if (opened.kind === 'drop') return drop(core, opened.why);
    if (sa.heard.push({ messageId: header.messageId, octets: octets.slice() }) > MOST_HEARD) sa.heard.shift();
    this.#judgeIv(sa);
    if (opened.kind === 'fragment') return;
    sa.pending = undefined;
    if (opened.kind === 'malformed') return this.#brokenAnswer(sa, pending, opened.why);
    if (opened.clear.length > 0) violation(core, 'payloads in the clear in front of SK');
    remember(core, header, opened.payloads);
    this.#answered(sa, pending, opened.payloads);
  }

  /** §2.1: an answer that is said again must be the same, octet by octet. */
  #late(sa: IkeSa, octets: Uint8Array, header: Header): void {
    const core = this.#core;
    const before = sa.heard.filter((h) => h.messageId === header.messageId);
    if (before.length === 0) return drop(core, 'no answer to anything open');
    const authentic = open(sa.channel, octets, header, new Reassembly()).kind !== 'drop';
    if (authentic && !before.some((h) => equal(h.octets, octets))) violation(core, 'another answer to the same request (§2.1)');
    drop(core, 'an answer once more');
  }

  #judgeIv(sa: IkeSa): void {
    if (sa.channel.repeatedIv) violation(this.#core, 'one IV for two messages');
    sa.channel.repeatedIv = false;
  }

  /** §2.21: nothing is said to a malformed answer, but the state goes. */
  #brokenAnswer(sa: IkeSa, pending: Pending, why: string): void {
    const core = this.#core;
    violation(core, `malformed answer: ${why}`);
    if (core.stage.at !== 'established') return failAndTell(core, sa, `malformed answer to ${saidIn(pending)}: ${why}`);
    core.sas.delete(sa.own);
    if (sa === core.ike) end(core, 'closed', `malformed answer to ${saidIn(pending)}: ${why}`, { by: 'distrust' });
  }

  #answered(sa: IkeSa, { purpose, rival, flight }: Pending, payloads: readonly Payload[]): void {
    const core = this.#core;
    switch (purpose.kind) {
      case 'auth':
        return authAnswer(core, sa, purpose.step, payloads);
      case 'child':
        if (endsAll(core, payloads)) return;
        return childAnswer(core, sa, purpose, rival, payloads);
      case 'ike':
        if (endsAll(core, payloads)) return;
        return ikeAnswer(core, sa, purpose, rival, payloads);
      case 'delete-child':
        if (endsAll(core, payloads)) return;
        return deletedAnswer(core, purpose, payloads);
      case 'delete-ike':
        core.sas.delete(sa.own);
        if (sa === core.ike) end(core, 'closed', 'deleted by us');
        return;
      case 'farewell':
        core.sas.delete(sa.own);
        return;
      case 'liveness':
      case 'token':
      case 'informational': {
        const error = errorIn(payloads);
        outcome(core, purpose.kind, error === undefined ? '' : notifyName(error));
        if (purpose.kind === 'liveness' && payloads.length > 0) violation(core, 'an answer to liveness that is not empty');
        if (flight.exchange === Exchange.INFORMATIONAL) endsAll(core, payloads);
        return;
      }
    }
  }

  #request(sa: IkeSa, octets: Uint8Array, header: Header): void {
    const core = this.#core;
    const { messageId } = header;
    if (messageId === sa.expected - 1 && sa.answered?.messageId === messageId) return this.#again(sa, octets, header);
    if (core.sas.get(sa.own) !== sa) return drop(core, 'a request on an SA that has ended');
    if (messageId !== sa.expected) return drop(core, `message ID ${messageId} where ${sa.expected} is expected`);
    if (core.stage.at !== 'established') return drop(core, 'a request before the gateway has proven itself');
    const opened = open(sa.channel, octets, header, core.fragments ? sa.requests : undefined);
    if (opened.kind === 'drop') return drop(core, opened.why);
    this.#judgeIv(sa);
    if (opened.kind === 'fragment') return;
    sa.expected += 1;
    if (opened.kind === 'malformed') return refuseSyntax(core, sa, header.exchange, messageId, opened.why);
    if (opened.clear.length > 0) violation(core, 'payloads in the clear in front of SK');
    remember(core, header, opened.payloads);
    answer(core, sa, header, opened.payloads);
  }

  /** §2.1: the same answer for the same request; of fragments only the first one asks for it (RFC 7383 §2.6.1). */
  #again(sa: IkeSa, octets: Uint8Array, header: Header): void {
    const opened = open(sa.channel, octets, header, new Reassembly());
    const asks = opened.kind === 'message' || (opened.kind === 'fragment' && opened.first);
    if (asks && sa.answered !== undefined) emit(this.#core, sa.answered.datagrams);
    else drop(this.#core, opened.kind === 'drop' ? opened.why : 'a request once more');
  }

  #keepalive(): void {
    const { path, outbox, o, now } = this.#core;
    outbox.push({ from: path.local, to: path.remote, octets: Uint8Array.of(0xff) }); // RFC 3948 §2.3
    this.#core.keepaliveAt = o.keepalive === undefined ? undefined : now + o.keepalive;
  }
}

const SILENCE = { by: 'silence' } as const;
const SPIS = 16;
const MOST_HEARD = 32;

/** §2.21.3: INVALID_SYNTAX and AUTHENTICATION_FAILED end the IKE SA on both ends. */
function endsAll(core: Core, payloads: readonly Payload[]): boolean {
  const name = payloads.find((p) => p.kind === 'N' && (p.name === 'INVALID_SYNTAX' || p.name === 'AUTHENTICATION_FAILED'));
  if (name?.kind !== 'N') return false;
  end(core, 'closed', `the gateway says ${notifyName(name)}`, refusedBy(name));
  return true;
}

const SAID: Readonly<Record<Purpose['kind'], string>> = {
  auth: 'IKE_AUTH',
  child: 'CREATE_CHILD_SA for a child',
  ike: 'CREATE_CHILD_SA for the IKE SA',
  'delete-child': 'Delete of a child',
  'delete-ike': 'Delete of the IKE SA',
  liveness: 'a liveness check',
  informational: 'INFORMATIONAL',
  token: 'a token',
  farewell: 'AUTHENTICATION_FAILED',
};
const saidIn = ({ purpose }: Pending): string => SAID[purpose.kind];
