/**
 * The IKEv2 responder as a value machine: (state, datagram, time, answers) → (state, outputs). Seven verbs; no socket, no
 * clock, no promise. Order of work for a datagram: header, SA, message ID, integrity, and only then its payloads.
 */

import type { Config } from '../config/index.ts';
import * as phrases from '../log/phrases/index.ts';
import {
  classify,
  decodeHeader,
  decodeMessage,
  Exchange,
  exchangeName,
  Malformed,
  type Message,
  type Payload,
} from '../wire/index.ts';
import { AdmissionControl, Cookies } from './cookie.ts';
import { Counters } from './counters.ts';
import { Elsewhere, type Holding } from './elsewhere.ts';
import type { SlotEnv } from './env.ts';
import { afterCertificate } from './exchange/authStart.ts';
import { exchanges } from './exchange/index.ts';
import { type Answer, dispatch, refuse, type Step } from './exchange.ts';
import { FrontDoor } from './frontDoor.ts';
import { afterGate, silenceAbout } from './gate.ts';
import { ALONE, type Lane } from './lane.ts';
import { Leases } from './leases.ts';
import { Life, roomOf } from './life.ts';
import type { Watch } from './liveness.ts';
import { type Ousting, Outbox, type Output, type Ticket } from './outbox.ts';
import { unreachable } from './profiles.ts';
import { payloadsOf, protect, unprotect } from './protect.ts';
import { reconfigure } from './reconfigure.ts';
import { refusalPayloads, refusals } from './refusal.ts';
import type { Endpoint, IkeSa, Path } from './sa.ts';
import { Slab } from './slab.ts';
import { type Slot, theirSpi } from './slot.ts';
import { type GatewayView, viewOf } from './snapshot.ts';
import { SaTable } from './table.ts';
import { admit, begin, remember } from './window.ts';
import { fortiExchange, sayComes, saySent } from './wireTalk.ts';
import { type Clocks, type Entropy, Suites, type World } from './world.ts';

export type Datagram = { readonly octets: Uint8Array; readonly from: Endpoint; readonly to: Endpoint; readonly natt: boolean };

export type Command =
  /** Tell every peer that its SA is over; half-open ones are forgotten. */
  | { readonly do: 'shutdown' }
  /** The end: whoever has not acknowledged its Delete by now is gone, and is told of as gone. */
  | { readonly do: 'forget' }
  /** End one SA, by its instance name. */
  | { readonly do: 'delete'; readonly name: string; readonly why: string }
  /** What the gate goes by has changed for these devices, or for anybody: it is asked again. */
  | { readonly do: 'posture-changed'; readonly uids: 'all' | readonly string[] }
  /** From here on this configuration holds; what stands is judged by it. */
  | { readonly do: 'configure'; readonly config: Config }
  /** From the data plane, about one child: its soft or hard end, and an authentic packet from another place. */
  | { readonly do: 'rekey-child' | 'end-child'; readonly spi: number }
  | { readonly do: 'moved'; readonly spi: number; readonly path: Path }
  /** From the other engines of this gateway: what they hold, and which of ours with that key must end for one of theirs. */
  | { readonly do: 'held'; readonly holding: Holding }
  | { readonly do: 'left'; readonly name: string }
  | ({ readonly do: 'oust'; readonly name: string; readonly key: string } & Ousting);

/** What is taken for the answer of a path validation that did not end in time. */
const TOO_SLOW: Answer = { about: 'certificate', verdict: { ok: false, why: 'path validation did not end in time' } };

export class Engine {
  readonly #world: World;
  readonly #life: Life;
  readonly #counters = new Counters();
  readonly #door: FrontDoor;

  /**
   * @param o.exportKeys gives `keys` outputs for Wireshark: a capability of the operator's explicit flag alone
   * @param o.encapsulates ESP can be carried in UDP and not otherwise: every peer is made to encapsulate (RFC 7296 §2.23)
   * @param o.watch asks the data plane when a client was heard and sent to; without it liveness goes by IKE alone
   * @param o.lane one of several engines that are one gateway
   * @param o.debug builds `say` outputs; without it no debug line costs anything
   */
  constructor(o: {
    config: Config;
    entropy: Entropy;
    clocks: Clocks;
    debug?: boolean;
    exportKeys?: boolean;
    encapsulates?: boolean;
    country?: (address: string) => string | undefined;
    watch?: Watch | undefined;
    lane?: Lane;
  }) {
    const { lane = ALONE } = o;
    const { settings, profiles } = o.config;
    const random = (n: number) => o.entropy.octets(n);
    this.#world = {
      config: o.config,
      entropy: o.entropy,
      exportKeys: o.exportKeys === true,
      encapsulates: o.encapsulates === true,
      table: new SaTable(lane),
      lane,
      elsewhere: new Elsewhere(),
      out: new Outbox(),
      slab: new Slab(),
      leases: new Leases(profiles, settings.leaseLinger),
      admission: new AdmissionControl(settings),
      cookies: new Cookies(random, o.clocks.now),
      suites: new Suites(),
      tickets: new Map(),
      closing: false,
      clocks: o.clocks,
      debug: o.debug === true,
      lastId: lane.index,
      lastChild: lane.index,
      lastTicket: 0,
      country: o.country ?? (() => undefined),
      watch: o.watch,
    };
    this.#life = new Life(this.#world);
    this.#door = new FrontDoor(this.#world, this.#life, this.#counters);
  }

  get debug(): boolean {
    return this.#world.debug;
  }
  set debug(on: boolean) {
    this.#world.debug = on;
  }

  /** How many SAs still wait for the answer to our Delete. */
  get deleting(): number {
    return this.#life.requests.deleting;
  }

  /** Takes one UDP datagram; whatever stands in it, nothing is thrown. */
  datagram(d: Datagram, clocks: Clocks): void {
    this.#world.clocks = clocks;
    try {
      this.#datagram(d);
    } catch (error) {
      if (error instanceof Malformed) return this.#counters.drop('malformed');
      this.#fault('datagram', error);
    }
  }

  /** Takes the answer to a question asked by `ask`; one whose SA has moved on is dropped. */
  answer(ticket: Ticket, answer: Answer, clocks: Clocks): void {
    this.#world.clocks = clocks;
    const slot = this.#world.tickets.get(ticket);
    this.#world.tickets.delete(ticket);
    if (slot === undefined || slot.ticket !== ticket) return this.#counters.drop('late-answer');
    this.#answer(slot, answer);
  }

  #answer(slot: Slot, answer: Answer): void {
    this.#world.tickets.delete(slot.ticket);
    slot.ticket = 0;
    const { sa } = slot;
    const env = this.#life.env(slot);
    this.#contain(slot, 'answer', env, () => {
      if (sa.at === 'at-certificate' && answer.about === 'certificate')
        this.#commit(slot, afterCertificate(sa, answer.verdict, env), env);
      else if (sa.at === 'at-gate' && answer.about === 'posture') this.#commit(slot, afterGate(sa, answer.evidence, env), env);
      else if (sa.at === 'established' && answer.about === 'posture') this.#life.standings.answered(slot, sa, answer.evidence);
    });
  }

  command(command: Command, clocks: Clocks): void {
    this.#world.clocks = clocks;
    switch (command.do) {
      case 'shutdown':
        this.#world.closing = true;
        for (const slot of [...this.#world.table.all()]) {
          if (slot.sa.at === 'established')
            this.#life.requests.submit(slot, { do: 'delete-ike', reason: 'shutdown', why: 'the gateway shuts down' });
          else this.#life.close(slot, 'shutdown', 'the gateway shuts down', false);
        }
        return;
      case 'forget':
        for (const slot of [...this.#world.table.all()]) this.#life.close(slot, 'shutdown', 'the gateway shuts down', false);
        return;
      case 'posture-changed':
        return this.#life.standings.changed(command.uids);
      case 'rekey-child':
      case 'end-child': {
        const slot = this.#world.table.byEsp(command.spi);
        return slot === undefined ? undefined : this.#life.carried(slot, command.spi, command.do);
      }
      case 'moved': {
        const slot = this.#world.table.byEsp(command.spi);
        if (slot === undefined || this.#misplaced(slot, command.path) !== undefined) return;
        this.#follow(slot, command.path);
        return this.#life.schedule(slot);
      }
      case 'configure':
        return reconfigure(this.#world, this.#life, command.config);
      case 'held':
        return this.#world.elsewhere.held(command.holding);
      case 'left':
        return this.#world.elsewhere.left(command.name);
      case 'oust': {
        // By then the name may be somebody else's.
        const slot = this.#world.table.keyed(command.key, command.name);
        return slot === undefined ? undefined : this.#life.oust(slot, command);
      }
      case 'delete': {
        const slot = this.#world.table.named(command.name);
        if (slot?.sa.at === 'established')
          this.#life.requests.submit(slot, { do: 'delete-ike', reason: 'admin-deleted', why: command.why });
      }
    }
  }

  /** Does all that is due at this moment. */
  tick(clocks: Clocks): void {
    this.#world.clocks = clocks;
    for (;;) {
      const slot = this.#life.timers.due(clocks.now);
      if (slot === undefined) return;
      const env = this.#life.env(slot);
      // Who waits for somebody outside is not kept waiting: no answer in time is the answer of silence.
      if (slot.sa.at === 'at-gate' && clocks.now >= slot.expires)
        this.#answer(slot, { about: 'posture', evidence: silenceAbout(slot.sa, slot.path, this.#world.config.fctems) });
      else if (slot.sa.at === 'at-certificate' && clocks.now >= slot.expires) this.#answer(slot, TOO_SLOW);
      else this.#contain(slot, 'tick', env, () => this.#life.due(slot));
    }
  }

  /** The earliest moment (monotonic ms) at which `tick` has something to do, or undefined. */
  deadline(): number | undefined {
    return this.#life.timers.next;
  }

  /** Gives the outputs since the last call, in order. */
  take(): readonly Output[] {
    return this.#world.out.take();
  }

  /**
   * Plain values about every SA that lives or negotiates; no methods, no secrets. Ages and ends are told as of `now` (monotonic
   * ms): the last verb may be long ago.
   */
  snapshot(now: number): readonly GatewayView[] {
    const live = [...this.#world.table.all()].filter((slot) => slot.sa.at !== 'closed' && !slot.replaced);
    return live.map((slot) => viewOf(slot, now));
  }

  /** Monotonic counters of messages, drops by reason, faults, and gauges of what is held. */
  counters(): Readonly<Record<string, number>> {
    const { table, admission, leases, tickets } = this.#world;
    return {
      ...this.#counters.all(),
      sas: table.size,
      closed: this.#life.closed,
      children: table.children,
      leases: leases.total,
      'half-open': admission.halfOpen,
      tickets: tickets.size,
      timers: this.#life.timers.size,
    };
  }

  #datagram({ octets, from, to, natt }: Datagram): void {
    const seen = classify(octets, natt);
    if (seen.kind !== 'ike') return this.#counters.drop(seen.kind);
    const path: Path = { local: to, remote: from, natt };
    const header = decodeHeader(seen.octets);
    sayComes(this.#world, header, seen.octets, octets.length, path);
    if (header.major !== 2) return this.#door.wrongVersion(header, path);
    if (header.exchange === Exchange.IKE_SA_INIT) return this.#door.init(header, seen.octets, path);
    const slot = this.#world.table.bySpi(header.initiator ? header.SPIr : header.SPIi);
    if (
      slot === undefined ||
      slot.sa.basis.initiator === header.initiator ||
      theirSpi(slot.sa) !== (header.initiator ? header.SPIi : header.SPIr)
    )
      return this.#door.unknownSpi(header, path);
    const message = decodeMessage(seen.octets, header);
    if (message.sealed === undefined) return this.#counters.drop('unprotected');
    if (header.response) return this.#response(slot, seen.octets, message, path);
    this.#request(slot, seen.octets, message, path);
  }

  #request(slot: Slot, octets: Uint8Array, message: Message, path: Path): void {
    const { header, sealed } = message;
    if (sealed === undefined) return;
    const env = this.#life.env(slot);
    // Message IDs are looked at before any cryptography; what they decide holds only after the integrity check.
    const admission = admit(slot.window, header.messageId);
    if (admission === 'old' || admission === 'ahead') {
      env.say('sa', phrases.outsideWindow, header.messageId, slot.window.next);
      return this.#counters.drop(admission);
    }
    if (admission === 'busy') {
      env.say('sa', phrases.requestBusy);
      return this.#counters.drop('busy');
    }
    const channel = admission === 'fresh' ? slot : { iv: 0, reassembly: undefined, answers: undefined };
    const opened = unprotect(slot.sa.basis, channel, octets, message, sealed, this.#world.clocks.now);
    if (opened.kind === 'drop') {
      env.say('sa', phrases.dropped, opened.why);
      return this.#counters.drop(opened.reason);
    }
    if (admission === 'again') {
      if (sealed.kind === 'SKF' && sealed.fragment !== 1) return; // RFC 7383 §2.6.1: the first fragment stands for all
      if (slot.window.response.length === 0) return this.#counters.drop('unanswered'); // quiet-auth-failures
      env.say('sa', phrases.retransmitDetected);
      this.#counters.count('retransmit');
      return this.#world.out.send(path, slot.window.response);
    }
    if (opened.kind === 'fragment') {
      env.say('sa', phrases.fragmentQueued, opened.number, opened.total);
      return this.#life.schedule(slot); // the parts are not kept for ever
    }
    if (opened.fragments > 0) env.say('sa', phrases.reassembled);
    const refused = this.#misplaced(slot, path);
    if (refused !== undefined) {
      env.say('sa', phrases.dropped, refused);
      return this.#counters.drop('misplaced');
    }
    begin(slot.window);
    slot.answerTo = path;
    slot.exchange = header.exchange;
    slot.lastIn = this.#world.clocks.now;
    this.#follow(slot, path);
    const name = Object.values<number>(Exchange).includes(header.exchange) ? exchangeName(header.exchange) : 'exchange-other';
    this.#counters.count(name);
    this.#contain(slot, name, env, () => {
      const step = payloadStep(opened, (payloads) => dispatch(exchanges, slot.sa, { exchange: header.exchange, payloads }, env));
      this.#commit(slot, step, env);
    });
  }

  #response(slot: Slot, octets: Uint8Array, message: Message, path: Path): void {
    const { header, sealed } = message;
    if (sealed === undefined || slot.own?.current?.id !== header.messageId) return this.#counters.drop('stray-response');
    const opened = unprotect(slot.sa.basis, slot, octets, message, sealed, this.#world.clocks.now);
    if (opened.kind === 'drop') return this.#counters.drop(opened.reason);
    if (opened.kind === 'fragment') return this.#life.schedule(slot);
    if (this.#misplaced(slot, path) !== undefined) return this.#counters.drop('misplaced');
    this.#follow(slot, path);
    this.#contain(slot, 'response', this.#life.env(slot), () => {
      try {
        this.#life.requests.answered(slot, header.exchange, opened);
      } catch (error) {
        if (!(error instanceof Malformed)) throw error;
        this.#life.close(slot, 'syntax', `malformed response: ${error.message}`, false);
      }
    });
  }

  /** Why no profile of this SA takes messages on this path (`local-gw`, `interface`, `remote-gw-match`); undefined: one does. */
  #misplaced(slot: Slot, path: Path): string | undefined {
    const { sa, path: was } = slot;
    if (sa.at === 'closed' || (was.remote.address === path.remote.address && was.local.address === path.local.address))
      return undefined;
    const profiles = sa.at === 'half-open' ? sa.candidates : [sa.profile];
    const whys = profiles.map((profile) => unreachable(profile, path, this.#world.country));
    return whys.includes(undefined) ? undefined : whys[0];
  }

  /** §2.23: the peer's address follows verified, fresh messages only, and only where a NAT may move it. */
  #follow(slot: Slot, path: Path): void {
    const was = slot.path;
    const same = was.remote.address === path.remote.address && was.remote.port === path.remote.port && was.natt === path.natt;
    if (same && was.local.address === path.local.address) return;
    const { sa } = slot;
    const floats = sa.at !== 'established' && sa.at !== 'closed'; // §2.23: to 4500 with the first IKE_AUTH, NAT or not
    if (!floats && !sa.basis.natPeer && was.remote.address !== path.remote.address) return;
    slot.path = path;
    // By one that the data plane still has: another may be gone from there while its Delete is under way.
    const { out, table } = this.#world;
    const child = sa.at === 'established' ? sa.children.find(({ spiIn }) => table.byEsp(spiIn) === slot) : undefined;
    if (child !== undefined) out.push({ do: 'move', spi: child.spiIn, path });
    const env = this.#life.env(slot);
    if (was.remote.address !== path.remote.address) {
      env.say('sa', phrases.remoteAddressChange, was.remote.address, path.remote.address);
      if (sa.at === 'established') env.tell({ kind: 'moved', was: was.remote.address });
    } else if (was.remote.port !== path.remote.port) env.say('sa', phrases.remotePortChange, was.remote.port, path.remote.port);
  }

  /** Carries out what a handler decided: the one place where an SA changes because of a message. */
  #commit(slot: Slot, step: Step, env: SlotEnv): void {
    const { out } = this.#world;
    switch (step.kind) {
      case 'reply':
        env.settle(step.to, step.successor);
        this.#life.put(slot, step.to);
        for (const keys of step.installed ?? []) this.#life.install(slot, keys);
        this.#respond(slot, step.payloads);
        for (const { child, why } of step.removed ?? []) this.#life.remove(slot, child, why);
        if (step.successor !== undefined) {
          this.#life.succeed(slot, step.successor);
          this.#life.retire(slot);
        }
        if (step.review) this.#life.standings.ask(slot, 'token');
        return;
      case 'ask': {
        this.#world.lastTicket += 1;
        slot.ticket = this.#world.lastTicket;
        this.#world.tickets.set(slot.ticket, slot);
        env.settle(step.to);
        this.#life.put(slot, step.to);
        return out.push({ do: 'ask', ticket: slot.ticket, question: step.question });
      }
      case 'refuse': {
        env.settle(slot.sa);
        return this.#refuse(slot, step, env);
      }
      case 'close':
        env.settle(slot.sa);
        this.#respond(slot, step.payloads);
        return this.#life.close(slot, step.reason, step.why, true);
    }
  }

  #refuse(slot: Slot, { reason, why, data }: Extract<Step, { readonly kind: 'refuse' }>, env: SlotEnv): void {
    const { notify: name, endsEstablished } = refusals[reason];
    const established = slot.sa.at === 'established';
    const quiet = !established && this.#world.config.settings.quietAuthFailures;
    if (quiet) {
      env.say('sa', phrases.refusingSilently, why);
      remember(slot.window, []);
    } else {
      env.say('sa', phrases.refusing, name ?? 'no notify', why);
      this.#respond(slot, refusalPayloads(reason, data, this.#world.config.posture.failureNotify));
    }
    if (!established || endsEstablished) this.#life.close(slot, reason, why, true);
    else this.#life.schedule(slot);
  }

  /** Answers the request that is being worked on; the octets are kept for its retransmissions (§2.1). */
  #respond(slot: Slot, payloads: readonly Payload[]): void {
    const { sa, window, answerTo } = slot;
    const { SPIi, SPIr, initiator } = sa.basis;
    const envelope = { SPIi, SPIr, exchange: slot.exchange, initiator, response: true, messageId: window.next - 1 };
    const room = sa.at === 'closed' || sa.at === 'half-open' ? roomOfCandidates(sa, slot) : roomOf(sa, slot);
    const datagrams = protect(sa.basis, slot, envelope, payloads, room, (n) => this.#world.entropy.octets(n));
    if (datagrams.length > 1)
      this.#life.env(slot).say(
        'sa',
        phrases.splitting,
        datagrams.reduce((n, d) => n + d.length, 0),
        datagrams.length,
      );
    remember(window, datagrams);
    this.#world.out.send(answerTo, datagrams);
    saySent(this.#world, slot, `${fortiExchange(slot.exchange)}_RESPONSE`, datagrams, answerTo, window.next - 1);
  }

  /** A fault of ours ends the SA it happened in and nothing else. */
  #contain(slot: Slot, where: string, env: SlotEnv, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fault(where, error);
      env.settle(slot.sa);
      if (slot.sa.at !== 'closed') this.#life.close(slot, 'fault', `fault in ${where}`, true);
    }
  }

  #fault(where: string, error: unknown): void {
    this.#counters.count('fault');
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#world.out.push({ do: 'tell', event: { kind: 'fault', where, stack } });
  }
}

/** Decodes a verified plaintext and hands it on; malformed payloads of a verified peer are refused by name (§2.21.2). */
function payloadStep(
  opened: { readonly first: number; readonly plain: Uint8Array },
  handle: (payloads: readonly Payload[]) => Step,
): Step {
  let payloads: readonly Payload[];
  try {
    payloads = payloadsOf(opened);
  } catch (error) {
    if (error instanceof Malformed) return refuse('syntax', error.message);
    throw error;
  }
  return handle(payloads);
}

function roomOfCandidates(sa: Extract<IkeSa, { readonly at: 'half-open' | 'closed' }>, slot: Slot): number {
  const profile = sa.at === 'half-open' ? sa.candidates[0] : undefined;
  return profile === undefined ? 0 : roomOf({ profile }, slot);
}
