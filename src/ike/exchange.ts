/**
 * What an exchange is and how a verified message finds it: state × type × payloads → one declared rule. Handlers are
 * pure: they give a Step, the engine alone carries it out.
 */
import type { Certificate, Group, KeyPair } from '../../crypto/index.ts';
import type { Config } from '../config/index.ts';
import type { Event, Reason, Subject } from '../log/events.ts';
import type { Phrase } from '../log/phrases/index.ts';
import type { Evidence, PostureQuestion, Rival } from '../posture/index.ts';
import type { IkeSpi, NotifyData, NotifyName, Payload } from '../wire/index.ts';
import type { Ends, KeyRing } from './keys.ts';
import type { Lease } from './leases.ts';
import type { IkeChoice } from './negotiate.ts';
import type { Basis, ChildSa, EspSuite, Established, IkeSa, Instant, Path, SaAt, Suite } from './sa.ts';

export type At = IkeSa['at'];
type Kind = Exclude<Payload['kind'], 'N' | 'UNKNOWN'>;
type Of<K extends Kind> = Extract<Payload, { readonly kind: K }>;

/** Payloads that may stand more than once in a message; all others twice are a syntax error. */
const repeatable: ReadonlySet<string> = new Set(['N', 'V', 'D', 'CERT', 'CERTREQ', 'UNKNOWN']);

/** A verified request as its rule sees it: what `requires` names is there, what neither names is not a property. */
export type Request<R extends Kind, O extends Kind> = { readonly [K in R]: Of<K> } & { readonly [K in O]?: Of<K> } & {
  /** The data of the first notify of that name, or undefined; `true` stands for an empty one. */
  notify<N extends NotifyName>(name: N): NotifyData<N> | true | undefined;
  all<K extends Kind | 'N'>(kind: K): readonly Extract<Payload, { readonly kind: K }>[];
  readonly exchange: number;
};

export type Question =
  | {
      readonly about: 'certificate';
      readonly leaf: Certificate;
      readonly intermediates: readonly Certificate[];
      readonly anchors: readonly Certificate[];
    }
  | ({ readonly about: 'posture'; readonly profile: string } & PostureQuestion);
export type Answer =
  | { readonly about: 'certificate'; readonly verdict: PathVerdict }
  | { readonly about: 'posture'; readonly evidence: Evidence };

/** What path validation found: the chain from leaf to anchor, or why there is none. */
export type PathVerdict =
  | { readonly ok: true; readonly chain: readonly Certificate[] }
  | { readonly ok: false; readonly why: string };

/** A child SA and its keys for a data plane; by value, never shared. The algorithms stand in `child.suite`. */
export type ChildKeys = {
  readonly gateway: string;
  readonly child: ChildSa;
  /** Our inbound and outbound keys; AEAD keys end with their salt and have no integrity key. */
  readonly material: {
    readonly encrIn: Uint8Array;
    readonly integIn: Uint8Array;
    readonly encrOut: Uint8Array;
    readonly integOut: Uint8Array;
  };
  readonly path: Path;
  /** Who asked for it. The peer has what it asked for when our answer has come. */
  readonly by: 'us' | 'peer';
  /** §2.8.1: both asked, the peer's stays, and this one is deleted at once. Until the peer knows, it may send on it. */
  readonly redundant?: true;
};

/** What a handler decides. The engine alone carries it out. */
export type Step =
  /** Answer and be in state `to`. `installed` and `removed` are child SAs. */
  | {
      readonly kind: 'reply';
      readonly to: IkeSa;
      readonly payloads: readonly Payload[];
      readonly installed?: readonly ChildKeys[];
      readonly removed?: readonly { readonly child: ChildSa; readonly why: string }[];
      /** The IKE SA that replaces this one (§2.18); children and leases go over to it. */
      readonly successor?: Established;
      /** A token came with it: the gate is asked again. */
      readonly review?: true;
    }
  /** The answer waits for somebody outside. */
  | { readonly kind: 'ask'; readonly to: SaAt<'at-gate' | 'at-certificate'>; readonly question: Question }
  /** Say no as `refusal.ts` has it. `data` is the notify's own. */
  | {
      readonly kind: 'refuse';
      readonly reason: Reason;
      readonly why: string;
      readonly data?: number;
    }
  /** Answer, and this SA is over. */
  | { readonly kind: 'close'; readonly reason: Reason; readonly why: string; readonly payloads: readonly Payload[] };

export type Refused = Extract<Step, { readonly kind: 'refuse' }>;

/** Where a line of this SA goes beyond its own prefix. */
export type Where = 'sa' | 'gateway' | 'error' | { readonly bare: string } | { readonly child: number; readonly phase2?: string };

/** An event without its subject. */
export type SaEvent = WithoutSubject<Extract<Event, Subject>>;
type WithoutSubject<E> = E extends Event ? Omit<E, keyof Subject> : never;

/** What a handler may know and do besides its SA and the message. */
export type Env = {
  readonly now: Instant;
  /** Seconds since 1970. */
  readonly unix: number;
  readonly config: Config;
  readonly path: Path;
  /** Says one debug line; the phrase is built only when somebody listens. */
  say<A extends readonly unknown[]>(where: Where, phrase: (...args: A) => Phrase, ...args: A): void;
  /** False spares the work of preparing arguments for `say`. */
  readonly debug: boolean;
  /** ESP is carried in UDP, and not otherwise. */
  readonly encapsulates: boolean;
  /** The country of an address, ISO code; undefined when nobody can tell. */
  country(address: string): string | undefined;
  random(n: number): Uint8Array;
  keyPair(group: Group): KeyPair;
  /** A child SPI of ours that nobody uses, ≥ 256. */
  espSpi(): number;
  ikeSpi(): IkeSpi;
  /** An address of the profile's pool for this identity; given back by the engine when no established SA holds it. */
  lease(profile: string, family: 4 | 6, identity: string): Lease | undefined;
  /** How many addresses of the pool are in use. */
  leased(profile: string, family: 4 | 6): number;
  /** Keys of a rekeyed IKE SA, from the old one's SK_d (§2.18). */
  deriveIke(suite: Suite, shared: Uint8Array, ends: Ends, old: Basis): KeyRing;
  /** The shared record of a chosen suite. */
  suite(choice: IkeChoice): Suite;
  /** The shared record of a child's algorithms. */
  espSuite(choice: Omit<EspSuite, 'text'>): EspSuite;
  /** What this SA is called in lines from here on. */
  rename(name: string): void;
  /** The number of a new IKE SA in the debug lines. */
  saNumber(): number;
  /** The number of a child in the debug lines. */
  childNumber(): number;
  /** What of ours is under way on this SA and would collide (§2.25). */
  readonly busy: 'rekey-ike' | 'rekey-child' | 'delete-ike' | 'delete-child' | undefined;
  /** The peer rekeyed a child that we may be rekeying too: its nonces are kept to see who wins (§2.8.1). */
  rivalled(old: number, Ni: Uint8Array, Nr: Uint8Array): void;
  /** The next free instance name of a profile (`NAME_0`). */
  instance(profile: string): string;
  /** A live SA that claims the same device for somebody else, and has done so since before this moment. */
  rival(uid: string, person: string, before: Instant): Rival | undefined;
  /** Instance names of the other established SAs of one person's one device, or of one identity. */
  others(key: string): readonly string[];
  /** Ends one of them: without a word when the peer says that it has none (INITIAL_CONTACT), else with a Delete. */
  drop(key: string, name: string, how: 'silently' | 'by-delete', reason: Reason): void;
  /** Tells an event about this SA; the engine adds who it is about. */
  tell(event: SaEvent): void;
};

export type Exchange = {
  readonly story: string;
  readonly from: readonly At[];
  readonly type: number;
  readonly requires: readonly Kind[];
  readonly forbids: readonly Kind[];
  readonly run: (sa: IkeSa, message: Verified, env: Env) => Step;
};

/** Payloads of a message that passed its integrity check. */
export type Verified = { readonly exchange: number; readonly payloads: readonly Payload[] };

export const ask = (to: SaAt<'at-gate' | 'at-certificate'>, question: Question): Step => ({ kind: 'ask', to, question });
export const refuse = (reason: Reason, why: string, data?: number): Refused =>
  data === undefined ? { kind: 'refuse', reason, why } : { kind: 'refuse', reason, why, data };

/** Declares an exchange; the compiler holds the handler to what the declaration promises. */
export function exchange<A extends At, R extends Kind, O extends Kind = never>(rule: {
  readonly story: string;
  readonly from: A | readonly A[];
  readonly type: number;
  readonly requires: readonly R[];
  readonly allows?: readonly O[];
  readonly forbids?: readonly Kind[];
  request(sa: SaAt<A>, msg: Request<R, O>, env: Env): Step;
}): Exchange {
  const { story, type, requires, forbids = [] } = rule;
  const from: readonly At[] = Array.isArray(rule.from) ? rule.from : [rule.from as A]; // Array.isArray does not narrow readonly
  // The one place where "checked at run time by dispatch" becomes "known to the compiler".
  const run = (sa: IkeSa, message: Verified, env: Env) =>
    rule.request(sa as SaAt<A>, view(message) as unknown as Request<R, O>, env);
  return { story, from, type, requires, forbids, run };
}

/**
 * Finds the one exchange that fits and runs it. No rule fitting, a payload twice, or an unknown critical payload is
 * refused (§2.5, §2.21.2).
 */
export function dispatch(all: readonly Exchange[], sa: IkeSa, message: Verified, env: Env): Step {
  const { payloads } = message;
  const flaw = flawOf(payloads);
  if (flaw !== undefined) return flaw;
  const rule = find(all, sa.at, message);
  return rule === undefined
    ? refuse('syntax', `no exchange of type ${message.exchange} fits in state ${sa.at}`)
    : rule.run(sa, message, env);
}

/** What no message may have, whatever it is for: an unknown critical payload (§2.5), a payload twice that stands once. */
export function flawOf(payloads: readonly Payload[]): Refused | undefined {
  const seen: string[] = [];
  for (const payload of payloads) {
    const { kind } = payload;
    if (kind === 'UNKNOWN' && payload.critical)
      return refuse('unsupported-critical', `payload type ${payload.type} is critical and not known`, payload.type);
    if (repeatable.has(kind)) continue;
    if (seen.includes(kind)) return refuse('syntax', `two ${kind} payloads`);
    seen.push(kind);
  }
  return undefined;
}

/** The rule that a message fits in a state; a property test proves that there is never a second. */
export function find(all: readonly Exchange[], at: At, { exchange: type, payloads }: Verified): Exchange | undefined {
  const has = (kind: Kind) => payloads.some((p) => p.kind === kind);
  return all.find((x) => x.type === type && x.from.includes(at) && x.requires.every(has) && !x.forbids.some(has));
}

function view(message: Verified) {
  const view: Record<string, unknown> = {
    exchange: message.exchange,
    notify: (name: NotifyName) => {
      const found = message.payloads.find((p) => p.kind === 'N' && p.name === name);
      return found?.kind === 'N' ? (found.data ?? true) : undefined;
    },
    all: (kind: Kind | 'N') => message.payloads.filter((p) => p.kind === kind),
  };
  for (const payload of message.payloads) view[payload.kind] ??= payload;
  return view;
}
