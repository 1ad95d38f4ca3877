/**
 * What can be made to go wrong with the emulated EMS: docs/ems-api.md §7. Faults of different names stand side by side; the
 * table below says which of them decides when several could.
 */
import { printable } from '../../wire/index.ts';
import { EmsRefused } from './record.ts';

export type EmsFault =
  /** The port is closed, connections are cut. */
  | { readonly name: 'down' }
  /** Like `down`, on and off: `up` and `down` are ms; it begins with down. */
  | { readonly name: 'flapping'; readonly up: number; readonly down: number }
  /** Every answer waits so long. */
  | { readonly name: 'slow'; readonly ms: number }
  /** Every call is answered with this status. */
  | { readonly name: 'status'; readonly status: 401 | 403 | 429 | 500 | 503 }
  | { readonly name: 'garbage'; readonly kind: GarbageKind }
  /** `wrong-ca`: same names, another authority of the same name. `changed-key`: same names, same authority, another key. */
  | { readonly name: 'certificate'; readonly kind: 'wrong-ca' | 'changed-key' }
  /**
   * `frozen`: everything is answered as it was when the fault began, WebSockets ping and tell nothing. `mute`: the calls for
   * devices are taken and never answered, the others are; WebSockets ping and tell nothing.
   */
  | { readonly name: 'stale'; readonly kind: 'frozen' | 'mute' }
  /** The capability is gone, and open WebSockets are closed. */
  | { readonly name: 'no-websocket' };
/**
 * `json`: no JSON. `types`: members of the wrong type. `records`: one device in the list is wrong. `truncated`: the connection
 * ends in the middle. `huge`: an answer without end.
 */
export type GarbageKind = 'json' | 'types' | 'records' | 'truncated' | 'huge';

export const FAULT_NAMES = ['down', 'flapping', 'slow', 'status', 'garbage', 'certificate', 'stale', 'no-websocket'] as const;
/** What may follow each name. */
export const FAULT_VALUES: Readonly<Record<EmsFault['name'], readonly string[]>> = {
  down: [],
  flapping: ['UP:DOWN'],
  slow: ['MS'],
  status: ['401', '403', '429', '500', '503'],
  garbage: ['json', 'types', 'records', 'truncated', 'huge'],
  certificate: ['wrong-ca', 'changed-key'],
  stale: ['frozen', 'mute'],
  'no-websocket': [],
};

/**
 * A fault as people write it: `slow 500`, `status 401`, `flapping 2000:500`. A value that is left out is the first of its list;
 * `401` and `500` alone are statuses.
 *
 * @throws EmsRefused when it is none
 */
export function readFault(word: string, value?: string): EmsFault {
  if (FAULT_VALUES.status.includes(word) && value === undefined) return readFault('status', word);
  const name = FAULT_NAMES.find((n) => n === word);
  if (name === undefined)
    throw new EmsRefused('bad-request', `there is no fault '${printable(word, 40)}': ${FAULT_NAMES.join(', ')}`);
  switch (name) {
    case 'down':
    case 'no-websocket':
      if (value !== undefined) throw wrongValue(name, value);
      return { name };
    case 'slow':
      return { name, ms: milliseconds(name, value ?? '1000') };
    case 'flapping': {
      const [up = '', down = '', more] = (value ?? '1000:1000').split(':');
      if (more !== undefined) throw wrongValue(name, value ?? '');
      return { name, up: milliseconds(name, up), down: milliseconds(name, down) };
    }
    case 'status':
      return { name, status: one([401, 403, 429, 500, 503] as const, name, value ?? '500') };
    case 'garbage':
      return { name, kind: one(['json', 'types', 'records', 'truncated', 'huge'] as const, name, value ?? 'json') };
    case 'certificate':
      return { name, kind: one(['wrong-ca', 'changed-key'] as const, name, value ?? 'wrong-ca') };
    case 'stale':
      return { name, kind: one(['frozen', 'mute'] as const, name, value ?? 'frozen') };
  }
}

/** `slow 500`: what `readFault` reads. */
export function faultText(fault: EmsFault): string {
  switch (fault.name) {
    case 'down':
    case 'no-websocket':
      return fault.name;
    case 'slow':
      return `slow ${fault.ms}`;
    case 'flapping':
      return `flapping ${fault.up}:${fault.down}`;
    case 'status':
      return `status ${fault.status}`;
    default:
      return `${fault.name} ${fault.kind}`;
  }
}

/** Faults that are on, by name. */
export type Faults = { readonly [F in EmsFault as F['name']]?: F };

/** In one step, so that a reader of the old value is not surprised. */
export function withFault(faults: Faults, fault: EmsFault): Faults {
  return { ...faults, [fault.name]: fault };
}

export function withoutFault(faults: Faults, name: EmsFault['name'] | undefined): Faults {
  if (name === undefined) return {};
  const { [name]: _, ...rest } = faults;
  return rest;
}

export function listOf(faults: Faults): readonly EmsFault[] {
  return FAULT_NAMES.flatMap((name) => faults[name] ?? []);
}

function one<T extends string | number>(choices: readonly T[], name: EmsFault['name'], value: string): T {
  const found = choices.find((choice) => String(choice) === value);
  if (found === undefined) throw wrongValue(name, value);
  return found;
}

/** At most ten minutes: nobody waits longer for a fault. */
function milliseconds(name: EmsFault['name'], value: string): number {
  const ms = /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN;
  if (ms >= 1 && ms <= 600_000) return ms;
  throw wrongValue(name, value);
}

function wrongValue(name: EmsFault['name'], value: string): EmsRefused {
  const choices = FAULT_VALUES[name];
  const takes = choices.length === 0 ? 'takes no value' : `takes ${choices.join(', ')}`;
  const unit = name === 'slow' || name === 'flapping' ? ' (milliseconds, 1 to 600000)' : '';
  return new EmsRefused('bad-request', `fault ${name} ${takes}${unit}, not '${printable(value, 40)}'`);
}
