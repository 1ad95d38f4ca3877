import { describe, expect, it } from 'vitest';
import type { Event } from '../../../src/log/events.ts';
import { openJournal } from '../../../src/log/journal.ts';

const subject = { gateway: 'dialup_0', sa: 7, remote: '198.51.100.2:4500', local: '192.0.2.1:4500' };

const journal = () => {
  const lines: Record<string, unknown>[] = [];
  const clock = { now: 0 };
  const opened = openJournal({ stream: { write: (text: string) => void lines.push(JSON.parse(text)) }, now: () => clock.now });
  return { journal: opened, lines, clock };
};

describe('the journal', () => {
  it('writes an event as one JSON line: level, kind, why, and who it is about', () => {
    const { journal: j, lines } = journal();
    j.event({ kind: 'closed', reason: 'dead-peer', why: 'no answer', seconds: 12, ...subject, user: 'alice' });
    expect(lines).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        pid: process.pid,
        event: 'closed',
        reason: 'dead-peer',
        why: 'no answer',
        seconds: 12,
        ...subject,
        user: 'alice',
        msg: 'closed',
      },
    ]);
  });

  const reasons = { source: 'ems', rule: 'r', why: 'w', device: 'd', asked: 'a', presented: 'none', wanted: '', held: '' };
  it.each<[string, Event]>([
    ['info', { kind: 'established', suite: 's', method: 'psk', ...subject }],
    ['warn', { kind: 'negotiation-failed', reason: 'psk-mismatch', why: 'w', ...subject }],
    ['warn', { kind: 'posture', verdict: 'deny', ...reasons, ...subject }],
    ['info', { kind: 'posture', verdict: 'clear', ...reasons, ...subject }],
    ['error', { kind: 'closed', reason: 'fault', why: 'w', seconds: 1, ...subject }],
    ['error', { kind: 'fault', where: 'engine', stack: 's' }],
  ])('%s for %o', (level, event) => {
    const { journal: j, lines } = journal();
    j.event(event);
    expect(lines[0]).toMatchObject({ level, event: event.kind });
    expect(JSON.stringify(lines[0])).not.toContain('[redacted]');
  });

  it('what strangers can cause is thinned out, and the next line says by how much', () => {
    const { journal: j, lines, clock } = journal();
    const refused: Event = { kind: 'init-refused', remote: 'a', local: 'b', reason: 'no-proposal', why: 'w' };
    for (let i = 0; i < 1000; i++) j.event(refused);
    expect(lines).toHaveLength(50);
    for (let i = 0; i < 100; i++) j.event({ kind: 'established', suite: 's', method: 'psk', ...subject });
    expect(lines).toHaveLength(150); // other kinds are not held back
    clock.now = 100;
    j.event(refused);
    j.event(refused);
    expect(lines).toHaveLength(151);
    expect(lines[150]).toMatchObject({ event: 'init-refused', leftOut: 950 });
    expect(j.counters).toMatchObject({ lines: 151, thinned: 951 });
  });

  it('nothing but text, numbers and truth values is written, whatever the types were talked into', () => {
    const { journal: j, lines } = journal();
    const smuggled = { kind: 'fault', where: 'w', stack: 's', octets: Uint8Array.of(1, 2), nested: { deep: 'secret words' } };
    j.event(smuggled as Event); // a mistake of ours that the compiler was kept from seeing
    expect(JSON.stringify(lines)).not.toMatch(/secret words|"0":1/);
    expect(lines[0]).toMatchObject({ octets: '[not printable]', nested: '[not printable]' });
  });

  it('a field with the name of a secret is redacted', () => {
    const { journal: j, lines } = journal();
    j.note('info', 'm', { psksecret: 'open sesame', SK_ei: 'aabb', password: 'x', fine: 'stays' });
    expect(lines[0]).toMatchObject({ psksecret: '[redacted]', SK_ei: '[redacted]', password: '[redacted]', fine: 'stays' });
    expect(JSON.stringify(lines)).not.toMatch(/sesame|aabb/);
  });

  it('a note has its level and leaves out what is not there; one value is not endless', () => {
    const { journal: j, lines } = journal();
    j.note('warn', 'traffic off', { why: 'x'.repeat(5000), absent: undefined });
    expect(lines[0]).toMatchObject({ level: 'warn', msg: 'traffic off', why: `${'x'.repeat(4096)}…` });
    expect(lines[0]).not.toHaveProperty('absent');
  });
});
