/**
 * What the gateway does with every kind of message in every state of an IKE SA: one table, the way it is read by people, and what
 * its words mean. `stateTable.test.ts` plays every cell against a real engine.
 *
 * Most bugs of IKE daemons are right-shaped messages in the wrong state. Three rules make this table (RFC 7296):
 *   - what is not protected, not authentic or not in the window changes nothing and is answered by nothing (§2.1, §2.4);
 *   - what is authentic and does not fit is INVALID_SYNTAX, and that ends the IKE SA (§2.21.3);
 *   - while an answer waits for somebody outside, nothing else is taken (window size 1).
 */

export const states = {
  none: 'no SA: ended, and forgotten',
  'half-open': 'IKE_SA_INIT is done',
  eap: 'EAP is running',
  proven: 'EAP has succeeded, AUTH is to come',
  cert: 'the certificate path is being validated',
  gate: 'posture is being asked about',
  up: 'established',
  waiting: 'established, a liveness check of ours is not answered yet',
  closed: 'ended, kept for the repetition of its last request',
} as const;
export type State = keyof typeof states;

/** What is said, and what becomes of the SA. `answer`: payloads of a protected answer, notifies by name. */
export type Outcome = {
  readonly answer: string | undefined;
  /** The answer is not protected. */
  readonly clear?: boolean;
  /** The very octets that were the last answer. */
  readonly again?: boolean;
  /** Where the SA is afterwards; undefined: where it was. */
  readonly to?: 'half-open' | 'eap' | 'established' | 'over';
  /** Another SA is there afterwards. */
  readonly beside?: 'half-open' | 'established';
};

export const outcomes: Readonly<Record<string, Outcome>> = {
  '.': { answer: undefined },
  '=': { answer: undefined, again: true },
  init: { answer: 'SA KE NONCE', clear: true, beside: 'half-open' },
  spi: { answer: 'INVALID_IKE_SPI', clear: true },
  ok: { answer: '' },
  syn: { answer: 'INVALID_SYNTAX', to: 'over' },
  fail: { answer: 'AUTHENTICATION_FAILED', to: 'over' },
  'crit+': { answer: 'UNSUPPORTED_CRITICAL_PAYLOAD', to: 'over' },
  crit: { answer: 'UNSUPPORTED_CRITICAL_PAYLOAD' },
  over: { answer: '', to: 'over' },
  EAP: { answer: 'IDr AUTH EAP', to: 'eap' },
  eap: { answer: 'EAP', to: 'eap' },
  UP: { answer: 'IDr AUTH CP SA TSi TSr', to: 'established' },
  child: { answer: 'SA NONCE TSi TSr' },
  ike: { answer: 'SA NONCE KE', to: 'over', beside: 'established' },
  D: { answer: 'D' },
};

/** Columns as `states`; messages as `stateTable.test.ts` makes them. */
export const table = `
message                              | none | half-open | eap   | proven | cert | gate | up    | waiting | closed
IKE_SA_INIT, a new one               | init | init      | init  | init   | init | init | init  | init    | init
IKE_SA_INIT, the same again          | init | =         | =     | =      | =    | =    | init  | init    | init
IKE_AUTH {IDi SA TSi TSr}            | spi  | EAP       | syn   | syn    | .    | .    | syn   | syn     | syn
IKE_AUTH {IDi AUTH CP SA TSi TSr}    | spi  | UP        | syn   | fail   | .    | .    | syn   | syn     | syn
IKE_AUTH {IDi AUTH}, AUTH is wrong   | spi  | syn       | syn   | fail   | .    | .    | syn   | syn     | syn
IKE_AUTH {EAP}                       | spi  | syn       | eap   | syn    | .    | .    | syn   | syn     | syn
IKE_AUTH {AUTH}, AUTH is wrong       | spi  | syn       | syn   | fail   | .    | .    | syn   | syn     | syn
IKE_AUTH {}                          | spi  | syn       | syn   | syn    | .    | .    | syn   | syn     | syn
CREATE_CHILD_SA, a child             | spi  | syn       | syn   | syn    | .    | .    | child | child   | syn
CREATE_CHILD_SA, rekey of a child    | spi  | syn       | syn   | syn    | .    | .    | child | child   | syn
CREATE_CHILD_SA, rekey of the IKE SA | spi  | syn       | syn   | syn    | .    | .    | ike   | ike     | syn
CREATE_CHILD_SA {}                   | spi  | syn       | syn   | syn    | .    | .    | syn   | syn     | syn
INFORMATIONAL {}                     | spi  | ok        | ok    | ok     | .    | .    | ok    | ok      | ok
INFORMATIONAL {D of the IKE SA}      | spi  | over      | over  | over   | .    | .    | over  | over    | ok
INFORMATIONAL {D of a child}         | spi  | ok        | ok    | ok     | .    | .    | D     | D       | ok
INFORMATIONAL {AUTHENTICATION_FAILED} | spi | over      | over  | over   | .    | .    | over  | over    | ok
INFORMATIONAL {NO_PROPOSAL_CHOSEN}   | spi  | over      | over  | over   | .    | .    | ok    | ok      | ok
INFORMATIONAL {unknown notify}       | spi  | ok        | ok    | ok     | .    | .    | ok    | ok      | ok
INFORMATIONAL {two SA}               | spi  | syn       | syn   | syn    | .    | .    | syn   | syn     | syn
INFORMATIONAL {critical unknown}     | spi  | crit+     | crit+ | crit+  | .    | .    | crit  | crit    | crit
INFORMATIONAL {broken chain}         | spi  | syn       | syn   | syn    | .    | .    | syn   | syn     | syn
IKE_SESSION_RESUME {}                | spi  | syn       | syn   | syn    | .    | .    | syn   | syn     | syn
IKE_INTERMEDIATE {KE}                | spi  | syn       | syn   | syn    | .    | .    | syn   | syn     | syn
IKE_FOLLOWUP_KE {KE}                 | spi  | syn       | syn   | syn    | .    | .    | syn   | syn     | syn
exchange 0 {}                        | spi  | syn       | syn   | syn    | .    | .    | syn   | syn     | syn
exchange 33 {}                       | spi  | syn       | syn   | syn    | .    | .    | syn   | syn     | syn
exchange 39 {}                       | spi  | syn       | syn   | syn    | .    | .    | syn   | syn     | syn
exchange 240 {}                      | spi  | syn       | syn   | syn    | .    | .    | syn   | syn     | syn
exchange 255 {}                      | spi  | syn       | syn   | syn    | .    | .    | syn   | syn     | syn
in the clear: IKE_AUTH               | spi  | .         | .     | .      | .    | .    | .     | .       | .
in the clear: CREATE_CHILD_SA        | spi  | .         | .     | .      | .    | .    | .     | .       | .
in the clear: INFORMATIONAL          | spi  | .         | .     | .      | .    | .    | .     | .       | .
in the clear: IKE_SESSION_RESUME     | spi  | .         | .     | .      | .    | .    | .     | .       | .
in the clear: IKE_INTERMEDIATE       | spi  | .         | .     | .      | .    | .    | .     | .       | .
in the clear: IKE_FOLLOWUP_KE        | spi  | .         | .     | .      | .    | .    | .     | .       | .
in the clear: exchange 240           | spi  | .         | .     | .      | .    | .    | .     | .       | .
response: IKE_SA_INIT                | .    | .         | .     | .      | .    | .    | .     | .       | .
response: IKE_AUTH                   | .    | .         | .     | .      | .    | .    | .     | .       | .
response: CREATE_CHILD_SA            | .    | .         | .     | .      | .    | .    | .     | .       | .
response: INFORMATIONAL              | .    | .         | .     | .      | .    | .    | .     | .       | .
response: INFORMATIONAL, ID 0        | .    | .         | .     | .      | .    | .    | .     | .       | .
message ID one less                  | spi  | .         | =     | =      | .    | .    | =     | =       | =
message ID two less                  | spi  | .         | .     | .      | .    | .    | .     | .       | .
message ID one more                  | spi  | .         | .     | .      | .    | .    | .     | .       | .
message ID 2^32 - 1                  | spi  | .         | .     | .      | .    | .    | .     | .       | .
sealed with other keys               | spi  | .         | .     | .      | .    | .    | .     | .       | .
in the gateway's own voice           | spi  | .         | .     | .      | .    | .    | .     | .       | .
without the Initiator flag           | spi  | spi       | spi   | spi    | spi  | spi  | spi   | spi     | spi
another SPIi                         | spi  | spi       | spi   | spi    | spi  | spi  | spi   | spi     | spi
`;

/** The table as data: message → state → word. */
export function cells(): ReadonlyMap<string, ReadonlyMap<State, string>> {
  const [head = [], ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  return new Map(
    rows.map(([message = '', ...words]) => [message, new Map(words.map((word, i) => [stateOf(head[i + 1] ?? ''), word]))]),
  );
}

function stateOf(text: string): State {
  const found = Object.keys(states).find((name): name is State => name === text);
  if (found === undefined) throw new Error(`no state '${text}'`);
  return found;
}
