import { describe, expect, it } from 'vitest';
import { DebugStream, renderLine } from '../../../src/log/debug.ts';
import { type LineStream, lineWriter } from '../../../src/log/lines.ts';
import type { Phrase, Scope } from '../../../src/log/phrases/index.ts';
import { line } from '../../../src/log/phrases/phrase.ts';

const say = line`responder received AUTH msg`;

describe('prefixes of the ike debug stream', () => {
  it.each<[string, Scope]>([
    ['ike V=root:0: ', { kind: 'daemon' }],
    [
      'ike V=root:0:6ca2d0c4b5e1f0aa/0000000000000000:22: ',
      { kind: 'spi', SPIi: '6ca2d0c4b5e1f0aa', SPIr: '0000000000000000', id: 22 },
    ],
    ['ike V=root:0:dialup: ', { kind: 'gateway', name: 'dialup' }],
    ['ike V=root:0:dialup:22: ', { kind: 'gateway', name: 'dialup', id: 22 }],
    ['ike V=root:0:dialup:22:7: ', { kind: 'gateway', name: 'dialup', id: 22, child: 7 }],
    ['ike V=root:0:dialup_0:22:DY:7: ', { kind: 'gateway', name: 'dialup_0', id: 22, phase2: 'DY', child: 7 }],
    ['ike 0:dialup:22: ', { kind: 'gateway', name: 'dialup', id: 22, raw: true }],
    ['ike 0: ', { kind: 'gateway', name: '', raw: true }],
    ['ike V=root:', { kind: 'error' }],
    ['ike V=root:dialup ', { kind: 'error', name: 'dialup' }],
  ])('%s', (prefix, scope) => expect(renderLine(scope, say)).toBe(`${prefix}responder received AUTH msg`));

  it('what a peer put into a phrase cannot pass for a line of ours, nor steer a terminal', () => {
    const hostile = line`data = '${'VER=1\nike V=root:0:dialup:22: authentication succeeded\u001b[2J\r\u0085\tend'}'`;
    expect(renderLine({ kind: 'daemon' }, hostile)).toBe(
      "ike V=root:0: data = 'VER=1\n ike V=root:0:dialup:22: authentication succeeded\\x1b[2J\\x0d\\x85\tend'",
    );
  });
});

describe('who hears what', () => {
  const scope = (name: string, raw = false): Scope => ({ kind: 'gateway', name, id: 1, raw });
  const heard = (filter: Parameters<DebugStream['subscribe']>[1]) => {
    const stream = new DebugStream();
    const lines: string[] = [];
    stream.subscribe((text) => lines.push(text), filter);
    for (const s of [scope('dialup'), scope('dialup_0'), scope('dialup_x'), scope('dialup2'), scope('dialup', true)])
      stream.say(s, say);
    stream.say({ kind: 'daemon' }, say);
    stream.say({ kind: 'error', name: 'dialup_0' }, say);
    return lines.map((text) => text.replace(/ ?responder received AUTH msg/, ''));
  };

  it('everything, without a filter', () => expect(heard(undefined)).toHaveLength(7));

  it("a gateway's filter takes its instances along, and nobody of a similar name", () => {
    expect(heard({ gateway: 'dialup' })).toEqual([
      'ike V=root:0:dialup:1:',
      'ike V=root:0:dialup_0:1:',
      'ike 0:dialup:1:',
      'ike V=root:dialup_0',
    ]);
    expect(heard({ gateway: 'dialup_0' })).toEqual(['ike V=root:0:dialup_0:1:', 'ike V=root:dialup_0']);
  });

  it('the narrative leaves packets out', () => expect(heard({ narrative: true })).not.toContain('ike 0:dialup:1:'));

  it('the engine hears of the first listener and of the last one to go; nothing is rendered for nobody', () => {
    const states: boolean[] = [];
    const stream = new DebugStream((on) => states.push(on));
    const unreadable = {
      get text(): string {
        throw new Error('rendered');
      },
    };
    stream.say({ kind: 'daemon' }, unreadable as Phrase); // only a maker brands a phrase; this one must never be looked at
    const [one, two] = [stream.subscribe(() => undefined), stream.subscribe(() => undefined)];
    one();
    one();
    expect(stream.listening).toBe(true);
    two();
    expect(stream.listening).toBe(false);
    expect(states).toEqual([true, false]);
  });
});

describe('lines to a slow reader', () => {
  const slow = () => {
    const listeners: Record<string, () => void> = {};
    const written: string[] = [];
    const stream: LineStream & { ready: boolean } = {
      ready: true,
      write(text) {
        written.push(text);
        return stream.ready;
      },
      on(event, listener) {
        listeners[event] = listener;
      },
    };
    return { stream, written, emit: (event: string) => listeners[event]?.() };
  };

  it('wait for drain, in order', () => {
    const { stream, written, emit } = slow();
    const out = lineWriter(stream, 'ike debug');
    stream.ready = false;
    for (const text of ['a', 'b', 'c']) out.write(text);
    expect(written).toEqual(['a\n']);
    emit('drain');
    expect(written).toEqual(['a\n', 'b\nc\n']);
    stream.ready = true;
    emit('drain');
    out.write('d');
    expect(written).toEqual(['a\n', 'b\nc\n', 'd\n']);
    expect(out.dropped).toBe(0);
  });

  it('beyond the bound are dropped, counted and said, with no silent gap', () => {
    const { stream, written, emit } = slow();
    const out = lineWriter(stream, 'ike debug', { bound: 8 });
    stream.ready = false;
    for (const text of ['a', '1234567', 'too much', 'x']) out.write(text);
    stream.ready = true;
    emit('drain');
    out.write('after');
    expect(written).toEqual(['a\n', '1234567\nike debug: 2 lines dropped, the reader is too slow\n', 'after\n']);
    expect(out.dropped).toBe(2);
  });

  it('a reader that is gone ends it, once', () => {
    const { stream, written, emit } = slow();
    let ended = 0;
    const out = lineWriter(stream, 'ike debug', {
      onGone: () => {
        ended += 1;
      },
    });
    emit('error');
    emit('close');
    out.write('a');
    emit('drain');
    expect([ended, written, out.gone, out.dropped]).toEqual([1, [], true, 1]);
  });
});
