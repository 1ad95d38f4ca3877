/**
 * The IKEv2 responder as a value machine: (state, datagram, time, answers) → (state, outputs). Seven verbs; no socket, no
 * clock, no promise. Order of work for a datagram: header, SA, message ID, integrity, and only then its payloads.
 */
import { Slab } from './slab.ts';
import type { Config } from '../config/index.ts';
import * as phrases from '../log/phrases/index.ts';
import {
  classify,
  decodeHeader,
  decodeMessage,
  Exchange,
  exchangeName,
  type Header,
  hex,
  Malformed,
  type Message,
  NO_SPI,
  notify,
  encodeMessage,
  type Payload,
} from '../wire/index.ts';
import { AdmissionControl, Cookies } from './cookie.ts';
import { Counters } from './counters.ts';
import { freshSpi } from './env.ts';
import { afterCertificate } from './exchange/authStart.ts';
import { exchanges } from './exchange/index.ts';
import { initPayloads, saInit } from './exchange/saInit.ts';
import { type Answer, dispatch, refuse, type Step, type Where } from './exchange.ts';
import { afterGate } from './gate.ts';
import { Leases } from './leases.ts';
import { freshSlot, Life, roomOf } from './life.ts';
import { type Output, Outbox, type Ticket } from './outbox.ts';
import { payloadsOf, protect, unprotect } from './protect.ts';
import { refusals } from './refusal.ts';
import { type Endpoint, type IkeSa, nameOf, type Path } from './sa.ts';
import { type Slot, theirSpi } from './slot.ts';
import { type GatewayView, viewOf } from './snapshot.ts';
import { SaTable } from './table.ts';
import { admit, begin, remember } from './window.ts';
import { type Clocks, type Entropy, Suites, type World } from './world.ts';

export type Datagram = { readonly octets: Uint8Array; readonly from: Endpoint; readonly to: Endpoint; readonly natt: boolean };

export type Command =
  /** Tell every peer that its SA is over; half-open ones are forgotten. */
  | { readonly do: 'shutdown' }
  /** End one SA, by its instance name. */
  | { readonly do: 'delete'; readonly name: string; readonly why: string };

/** Unprotected error answers a second, all peers together: a flood must not make us a reflector (§2.21.4). */
const STATELESS_PER_SECOND = 50;

export class Engine {
  readonly #world: World;
  readonly #life: Life;
  readonly #counters = new Counters();
  readonly #tickets = new Map<Ticket, Slot>();
  #lastTicket = 0;
  #stateless = { second: 0, left: STATELESS_PER_SECOND };

  /**
   * @param o.exportKeys gives `keys` outputs for Wireshark: a capability of the operator's explicit flag alone
   * @param o.debug builds `say` outputs; without it no debug line costs anything
   */
  constructor(o: { config: Config; entropy: Entropy; clocks: Clocks; debug?: boolean; exportKeys?: boolean }) {
    const { settings, profiles } = o.config;
    const random = (n: number) => o.entropy.octets(n);
    this.#world = {
      config: o.config,
      entropy: o.entropy,
      exportKeys: o.exportKeys === true,
      table: new SaTable(),
      out: new Outbox(),
      slab: new Slab(),
      leases: new Leases(profiles, settings.leaseLinger),
      admission: new AdmissionControl(settings),
      cookies: new Cookies(random, o.clocks.now),
      suites: new Suites(),
      clocks: o.clocks,
      debug: o.debug === true,
      lastId: 0,
      lastChild: 0,
    };
    this.#life = new Life(this.#world);
  }

  get debug(): boolean {
    return this.#world.debug;
  }
  set debug(on: boolean) {
    this.#world.debug = on;
  }

  /** How many SAs still wait for the answer to our Delete. */
  get deleting(): number {
    return this.#life.deleting;
  }

  /** Takes one UDP datagram; whatever stands in it, nothing is thrown. */
  datagram(d: Datagram, clocks: Clocks): void {
    this.#world.clocks = clocks;
    try {
      this.#datagram(d);
    } catch (error) {
      if (error instanceof Malformed) return this.#counters.drop('malformed', error.message);
      this.#fault('datagram', error);
    }
  }

  /** Takes the answer to a question asked by `ask`; one whose SA has moved on is dropped. */
  answer(ticket: Ticket, answer: Answer, clocks: Clocks): void {
    this.#world.clocks = clocks;
    const slot = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    if (slot === undefined || slot.ticket !== ticket) return this.#counters.drop('late-answer', '');
    slot.ticket = 0;
    const { sa } = slot;
    const env = this.#life.env(slot);
    this.#contain(slot, 'answer', () => {
      if (sa.at === 'at-certificate' && answer.about === 'certificate') this.#commit(slot, afterCertificate(sa, answer.verdict, env), env);
      else if (sa.at === 'at-gate' && answer.about === 'posture') this.#commit(slot, afterGate(sa, answer.evidence, env), env);
    });
  }

  command(command: Command, clocks: Clocks): void {
    this.#world.clocks = clocks;
    switch (command.do) {
      case 'shutdown':
        for (const slot of [...this.#world.table.all()]) {
          if (slot.sa.at === 'established') this.#life.submit(slot, { do: 'delete-ike', reason: 'shutdown', why: 'the gateway shuts down' });
          else this.#life.close(slot, 'shutdown', 'the gateway shuts down', false);
        }
        return;
      case 'delete': {
        const slot = this.#world.table.named(command.name);
        if (slot?.sa.at === 'established') this.#life.submit(slot, { do: 'delete-ike', reason: 'admin-deleted', why: command.why });
      }
    }
  }

  /** Does all that is due at this moment. */
  tick(clocks: Clocks): void {
    this.#world.clocks = clocks;
    for (;;) {
      const slot = this.#life.timers.due(clocks.now);
      if (slot === undefined) return;
      this.#contain(slot, 'tick', () => this.#life.due(slot));
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

  /** Plain values about every SA; no methods, no secrets. */
  snapshot(): readonly GatewayView[] {
    return [...this.#world.table.all()].map((slot) => viewOf(slot, this.#world.clocks.now));
  }

  /** Monotonic counters of messages, drops by reason, faults, and gauges of what is held. */
  counters(): Readonly<Record<string, number>> {
    const { table, admission } = this.#world;
    return { ...this.#counters.all(), sas: table.size, children: table.children, 'half-open': admission.halfOpen, timers: this.#life.timers.size };
  }

  #datagram({ octets, from, to, natt }: Datagram): void {
    const seen = classify(octets, natt);
    if (seen.kind !== 'ike') return this.#counters.drop(seen.kind, '');
    const path: Path = { local: to, remote: from, natt };
    const header = decodeHeader(seen.octets);
    this.#sayComes(header, octets.length, path);
    if (header.major !== 2) return this.#wrongVersion(header, path);
    if (header.exchange === Exchange.IKE_SA_INIT) return this.#init(header, seen.octets, path);
    const slot = this.#world.table.bySpi(header.initiator ? header.SPIr : header.SPIi);
    if (slot === undefined || slot.sa.basis.initiator === header.initiator || theirSpi(slot.sa) !== (header.initiator ? header.SPIi : header.SPIr))
      return this.#unknownSpi(header, path);
    const message = decodeMessage(seen.octets, header);
    if (message.sealed === undefined) return this.#counters.drop('unprotected', '');
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
      return this.#counters.drop(admission, '');
    }
    if (admission === 'busy') {
      env.say('sa', phrases.requestBusy);
      return this.#counters.drop('busy', '');
    }
    const channel = admission === 'fresh' ? slot : { iv: 0, reassembly: undefined };
    const opened = unprotect(slot.sa.basis, channel, octets, message, sealed);
    if (opened.kind === 'drop') {
      env.say('sa', phrases.malformed, opened.why);
      return this.#counters.drop('integrity', opened.why);
    }
    if (admission === 'again') {
      if (sealed.kind === 'SKF' && sealed.fragment !== 1) return; // RFC 7383 §2.6.1: the first fragment stands for all
      env.say('sa', phrases.retransmitDetected);
      this.#counters.count('retransmit');
      return this.#world.out.send(path, slot.window.response);
    }
    if (opened.kind === 'fragment') return env.say('sa', phrases.fragmentQueued, opened.number, opened.total);
    if (opened.fragments > 0) env.say('sa', phrases.reassembled);
    begin(slot.window);
    slot.exchange = header.exchange;
    slot.lastIn = this.#world.clocks.now;
    this.#follow(slot, path);
    this.#counters.count(exchangeName(header.exchange));
    this.#contain(slot, exchangeName(header.exchange), () => {
      const step = payloadStep(slot.sa, header.exchange, opened, (payloads) =>
        dispatch(exchanges, slot.sa, { exchange: header.exchange, payloads }, env),
      );
      this.#commit(slot, step, env);
    });
  }

  #response(slot: Slot, octets: Uint8Array, message: Message, path: Path): void {
    const { header, sealed } = message;
    if (sealed === undefined || slot.own?.current?.id !== header.messageId) return this.#counters.drop('stray-response', '');
    const opened = unprotect(slot.sa.basis, slot, octets, message, sealed);
    if (opened.kind === 'drop') return this.#counters.drop('integrity', opened.why);
    if (opened.kind === 'fragment') return;
    this.#follow(slot, path);
    this.#contain(slot, 'response', () => {
      try {
        this.#life.response(slot, header.messageId, opened);
      } catch (error) {
        if (!(error instanceof Malformed)) throw error;
        this.#life.close(slot, 'syntax', `malformed response: ${error.message}`, false);
      }
    });
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
    const env = this.#life.env(slot);
    if (was.remote.address !== path.remote.address) {
      env.say('sa', phrases.remoteAddressChange, was.remote.address, path.remote.address);
      if (sa.at === 'established') env.tell({ kind: 'moved', was: was.remote.address });
    } else if (was.remote.port !== path.remote.port) env.say('sa', phrases.remotePortChange, was.remote.port, path.remote.port);
  }

  #init(header: Header, octets: Uint8Array, path: Path): void {
    if (header.response || !header.initiator || header.SPIr !== NO_SPI || header.messageId !== 0 || header.SPIi === NO_SPI)
      return this.#counters.drop('init', 'not a first request');
    const { table, clocks } = this.#world;
    const initKey = `${header.SPIi}|${path.remote.address}|${path.remote.port}`;
    const known = table.byInit(initKey);
    if (known !== undefined && 'opening' in known.sa && sameOctets(known.sa.opening.request, octets)) {
      this.#life.env(known).say('sa', phrases.retransmitDetected);
      this.#counters.count('retransmit');
      return this.#world.out.send(path, [known.sa.opening.response]);
    }
    this.#counters.count('IKE_SA_INIT');
    if (table.size >= this.#world.config.settings.saMax) return this.#counters.drop('init', 'sa-max');
    const payloads = initPayloads(header, octets);
    const id = this.#world.lastId + 1;
    let name: string | undefined;
    const say: Parameters<typeof saInit>[1]['say'] = (where, phrase, ...args) => {
      if (this.#world.debug) this.#world.out.push({ do: 'say', scope: initScope(where, name, header, id), line: phrase(...args) });
    };
    if (typeof payloads === 'string') {
      say('sa', phrases.malformed, payloads);
      return this.#counters.drop('malformed', payloads);
    }
    const { config, debug, admission, cookies, slab, entropy, suites } = this.#world;
    const outcome = saInit(
      { header, octets, payloads, path, id },
      {
        now: clocks.now,
        config,
        debug,
        admission,
        cookies,
        slab,
        say,
        rename: (to) => {
          name = to;
        },
        random: (n) => entropy.octets(n),
        keyPair: (group) => entropy.keyPair(group),
        ikeSpi: () => freshSpi(this.#world),
        suite: (choice) => suites.ike(choice),
      },
    );
    switch (outcome.kind) {
      case 'drop':
        return this.#counters.drop('init', outcome.why);
      case 'answer':
        this.#world.lastId = id;
        if (outcome.reason !== undefined) {
          const event = { kind: 'init-refused', remote: path.remote.address, local: path.local.address, reason: outcome.reason, why: outcome.why } as const;
          this.#world.out.push({ do: 'tell', event });
        }
        return this.#world.out.send(path, [outcome.octets]);
      case 'open': {
        this.#world.lastId = id;
        const slot = freshSlot(outcome.sa, { path });
        slot.window.next = 1;
        slot.initKey = initKey;
        const [profile] = outcome.sa.candidates;
        slot.expires = clocks.now + (profile?.negotiateTimeout ?? 30) * 1000;
        table.add(slot);
        admission.opened(path.remote.address);
        this.#life.schedule(slot);
        if (this.#world.exportKeys) this.#world.out.keys(outcome.sa.basis);
        this.#world.out.send(path, [outcome.response]);
        this.#saySent(slot, 'SA_INIT_RESPONSE', [outcome.response], path);
      }
    }
  }

  /** Carries out what a handler decided: the one place where an SA changes because of a message. */
  #commit(slot: Slot, step: Step, env: ReturnType<Life['env']>): void {
    const { out } = this.#world;
    switch (step.kind) {
      case 'reply':
        this.#respond(slot, step.payloads);
        env.settle(step.to);
        this.#life.put(slot, step.to);
        for (const { child, why } of step.removed ?? []) this.#life.remove(slot, child, why);
        for (const keys of step.installed ?? []) this.#life.install(slot, keys);
        if (step.successor !== undefined) {
          this.#life.succeed(slot, step.successor);
          this.#life.retire(slot);
        }
        return;
      case 'ask': {
        this.#lastTicket += 1;
        slot.ticket = this.#lastTicket;
        this.#tickets.set(slot.ticket, slot);
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

  #refuse(slot: Slot, { reason, why, data }: Extract<Step, { readonly kind: 'refuse' }>, env: ReturnType<Life['env']>): void {
    const { notify: name, endsEstablished } = refusals[reason];
    const established = slot.sa.at === 'established';
    const quiet = !established && this.#world.config.settings.quietAuthFailures;
    if (quiet) {
      env.say('sa', phrases.refusingSilently, why);
      remember(slot.window, []);
    } else {
      env.say('sa', phrases.refusing, name ?? 'no notify', why);
      this.#respond(slot, name === undefined ? [] : [name === 'UNSUPPORTED_CRITICAL_PAYLOAD' ? notify(name, data ?? 0) : notify(name as 'INVALID_SYNTAX')]);
    }
    if (!established || endsEstablished) this.#life.close(slot, reason, why, true);
    else this.#life.schedule(slot);
  }

  /** Answers the request that is being worked on; the octets are kept for its retransmissions (§2.1). */
  #respond(slot: Slot, payloads: readonly Payload[]): void {
    const { sa, window, path } = slot;
    const { SPIi, SPIr, initiator } = sa.basis;
    const envelope = { SPIi, SPIr, exchange: slot.exchange, initiator, response: true, messageId: window.next - 1 };
    const room = sa.at === 'closed' || sa.at === 'half-open' ? roomOfCandidates(sa, slot) : roomOf(sa, slot);
    const datagrams = protect(sa.basis, slot, envelope, payloads, room, (n) => this.#world.entropy.octets(n));
    if (datagrams.length > 1) this.#life.env(slot).say('sa', phrases.splitting, datagrams.reduce((n, d) => n + d.length, 0), datagrams.length);
    remember(window, datagrams);
    this.#world.out.send(path, datagrams);
    this.#saySent(slot, TAGS[slot.exchange] ?? exchangeName(slot.exchange), datagrams, path);
  }

  /** A fault of ours ends the SA it happened in and nothing else. */
  #contain(slot: Slot, where: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fault(where, error);
      if (slot.sa.at !== 'closed') this.#life.close(slot, 'fault', `fault in ${where}`, true);
    }
  }

  #fault(where: string, error: unknown): void {
    this.#counters.count('fault');
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#world.out.push({ do: 'tell', event: { kind: 'fault', where, stack } });
  }

  /** §2.5: a higher major version gets INVALID_MAJOR_VERSION, in the clear and rate-limited. */
  #wrongVersion(header: Header, path: Path): void {
    this.#counters.drop('version', `${header.major}`);
    this.#sayDaemon(() => phrases.majorVersion(header.major));
    if (header.major > 2 && !header.response) this.#stateless_(header, path, 'INVALID_MAJOR_VERSION');
  }

  /** §2.21.4: a request for no SA of ours; the answer is a hint that nobody can authenticate. */
  #unknownSpi(header: Header, path: Path): void {
    this.#counters.drop('unknown-spi', '');
    this.#sayDaemon(() => phrases.invalidSpi(header.SPIi, header.SPIr, id8(header.messageId)));
    if (!header.response) this.#stateless_(header, path, 'INVALID_IKE_SPI');
  }

  #stateless_(header: Header, path: Path, name: 'INVALID_MAJOR_VERSION' | 'INVALID_IKE_SPI'): void {
    const second = Math.floor(this.#world.clocks.now / 1000);
    if (this.#stateless.second !== second) this.#stateless = { second, left: STATELESS_PER_SECOND };
    if (this.#stateless.left === 0) return this.#counters.drop('stateless-limit', '');
    this.#stateless.left -= 1;
    const { SPIi, SPIr, exchange, messageId } = header;
    this.#world.out.send(path, [encodeMessage({ SPIi, SPIr, exchange, initiator: !header.initiator, response: true, messageId }, [notify(name)])]);
  }

  #sayDaemon(line: () => phrases.Phrase): void {
    if (this.#world.debug) this.#world.out.push({ do: 'say', scope: { kind: 'daemon' }, line: line() });
  }

  #sayComes(header: Header, octets: number, { local, remote }: Path): void {
    if (!this.#world.debug) return;
    const name = `${FORTI_NAMES[header.exchange] ?? exchangeName(header.exchange)}${header.response ? '_RESPONSE' : ''}`;
    const id = header.exchange === Exchange.IKE_SA_INIT ? '' : `:${id8(header.messageId)}`;
    this.#sayDaemon(() => phrases.udpComes(`${remote.address}:${remote.port}`, `${local.address}:${local.port}`, octets));
    this.#sayDaemon(() => phrases.exchangeComes(name, header.SPIi, header.SPIr, id, header.length));
  }

  #saySent(slot: Slot, tag: string, datagrams: readonly Uint8Array[], { local, remote }: Path): void {
    if (!this.#world.debug) return;
    const { SPIi, SPIr } = slot.sa.basis;
    const id = slot.exchange === 0 ? `${SPIi}/${SPIr}` : `${SPIi}/${SPIr}:${id8(slot.window.next - 1)}`;
    const path = { from: `${local.address}:${local.port}`, to: `${remote.address}:${remote.port}` };
    const scope = { kind: 'gateway', name: nameOf(slot.sa), id: slot.sa.basis.id } as const;
    for (const octets of datagrams) {
      this.#world.out.push({ do: 'say', scope: { ...scope, raw: true }, line: phrases.packetOut(hex(octets).toUpperCase()) });
      this.#world.out.push({ do: 'say', scope, line: phrases.sentMessage(tag, path, octets.length, id) });
    }
  }
}

const id8 = (messageId: number): string => messageId.toString(16).padStart(8, '0');
const FORTI_NAMES: Readonly<Record<number, string>> = { 34: 'SA_INIT', 35: 'AUTH', 36: 'CREATE_CHILD', 37: 'INFORMATIONAL', 38: 'SESSION_RESUME' };
const TAGS: Readonly<Record<number, string>> = { 35: 'AUTH_RESPONSE', 36: 'CREATE_CHILD_RESPONSE', 37: 'INFORMATIONAL_RESPONSE' };

/** Decodes a verified plaintext and hands it on; malformed payloads of a verified peer are refused by name (§2.21.2). */
function payloadStep(
  _sa: IkeSa,
  _exchange: number,
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

function initScope(where: Where | 'daemon', name: string | undefined, { SPIi }: Header, id: number): phrases.Scope {
  if (where === 'daemon') return { kind: 'daemon' };
  if (where === 'error') return name === undefined ? { kind: 'error' } : { kind: 'error', name };
  if (typeof where === 'object' && 'bare' in where) return { kind: 'gateway', name: where.bare };
  if (name === undefined) return { kind: 'spi', SPIi, SPIr: NO_SPI, id };
  return where === 'gateway' ? { kind: 'gateway', name } : { kind: 'gateway', name, id };
}

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((o, i) => o === b[i]);
}

