import { describe, expect, it } from 'vitest';
import { Pump, type PumpedEngine, type World } from '../../../src/daemon/pump.ts';
import type { Answer, Output, Question } from '../../../src/ike/index.ts';
import type { Event } from '../../../src/log/index.ts';
import { line } from '../../../src/log/phrases/phrase.ts';

const here = { address: '192.0.2.1', port: 500 };
const there = { address: '198.51.100.2', port: 500 };
const datagram = (octet: number) => ({ octets: Uint8Array.of(octet), from: there, to: here, natt: false });
const send = (octet: number): Output => ({ do: 'send', from: here, to: there, octets: Uint8Array.of(octet) });
const posture: Question = {
  about: 'posture',
  profile: 'dialup',
  rule: { tags: [], emsSnCheck: false, unknownDevice: 'deny', uidBinding: 'address' },
  device: { by: 'nothing', why: 'w' },
  named: undefined,
  token: undefined,
  announcedBy: undefined,
};
const silent: Answer = {
  about: 'posture',
  evidence: { device: { by: 'nothing', why: 'w' }, home: undefined, reports: [], token: { kind: 'none' } },
};

/** A world whose clock and timers move by hand, around an engine that does what a test says. */
function bench(script: Partial<PumpedEngine> = {}, world: Partial<World> = {}) {
  const happened: string[] = [];
  const events: Event[] = [];
  const timers: { at: number; ms: number; run: () => void; live: boolean }[] = [];
  const time = { now: 1000 };
  const outputs: Output[] = [];
  let due: number | undefined;
  const engine: PumpedEngine = {
    datagram: (d) => void happened.push(`datagram ${d.octets[0]}`),
    answer: (ticket, answer) => void happened.push(`answer ${ticket} ${answer.about}`),
    command: (c) => void happened.push(`command ${c.do}`),
    tick: (t) => void happened.push(`tick ${t.now}`),
    deadline: () => due,
    take: () => outputs.splice(0),
    ...script,
  };
  const pump = new Pump(engine, {
    clocks: () => ({ now: time.now, unix: 7 }),
    after: (ms, run) => {
      const timer = { at: time.now + ms, ms, run, live: true };
      timers.push(timer);
      return () => {
        timer.live = false;
      };
    },
    send: (_from, _to, octets) => void happened.push(`send ${octets[0]}`),
    ask: () => Promise.resolve(silent),
    child: (output) => void happened.push(output.do),
    tell: (event) => {
      happened.push(`tell ${event.kind}`);
      events.push(event);
    },
    say: (_scope, phrase) => void happened.push(`say ${phrase.text}`),
    keys: () => void happened.push('keys'),
    share: ({ do: what }) => void happened.push(what),
    ...world,
  });
  return {
    pump,
    happened,
    events,
    outputs,
    time,
    timers,
    live: () => timers.filter((t) => t.live).map((t) => t.ms),
    setDue: (at: number | undefined) => {
      due = at;
    },
    /** Lets time pass up to the next live timer. */
    ring: () => {
      const next = timers.find((t) => t.live);
      if (next === undefined) throw new Error('no timer is set');
      next.live = false;
      time.now = Math.max(time.now, next.at);
      next.run();
    },
  };
}

describe('the pump', () => {
  it('carries out what the engine says, in order, after every verb', () => {
    const b = bench();
    b.outputs.push(
      send(1),
      { do: 'say', scope: { kind: 'daemon' }, line: line`words` },
      { do: 'remove', spi: 300, replaced: false },
      send(2),
    );
    b.pump.datagram(datagram(9));
    expect(b.happened).toEqual(['datagram 9', 'send 1', 'say words', 'remove', 'send 2']);
    b.outputs.push(send(3));
    b.pump.command({ do: 'shutdown' });
    expect(b.happened.slice(5)).toEqual(['command shutdown', 'send 3']);
  });

  it('a world that calls back while it is served does not upset the order', () => {
    const b = bench(
      {},
      {
        send: (_from, _to, octets) => {
          b.happened.push(`send ${octets[0]}`);
          if (octets[0] !== 1) return;
          b.outputs.push(send(3));
          b.pump.datagram(datagram(8));
        },
      },
    );
    b.outputs.push(send(1), send(2));
    b.pump.datagram(datagram(9));
    expect(b.happened).toEqual(['datagram 9', 'send 1', 'datagram 8', 'send 2', 'send 3']);
  });

  it('keeps one timer for the earliest deadline: set once, moved when it comes nearer, left alone when it moves away', () => {
    const b = bench();
    b.setDue(1500.25);
    b.pump.datagram(datagram(1));
    b.pump.datagram(datagram(2));
    expect(b.live()).toEqual([501]);
    b.setDue(1200);
    b.pump.datagram(datagram(3));
    expect(b.live()).toEqual([200]);
    b.setDue(1900);
    b.pump.datagram(datagram(4));
    expect(b.timers).toHaveLength(2);
    b.ring();
    expect(b.happened).not.toContain('tick 1200'); // it came for a deadline that has gone
    expect(b.live()).toEqual([700]);
    b.ring();
    expect(b.happened).toContain('tick 1900');
  });

  it('a deadline beyond what a timer can hold is waited for in parts', () => {
    const b = bench();
    b.setDue(1e12);
    b.pump.datagram(datagram(1));
    expect(b.live()).toEqual([2 ** 31 - 1]);
    b.ring();
    expect(b.live()).toEqual([2 ** 31 - 1]);
  });

  it('without a deadline there is no timer', () => {
    const b = bench();
    b.pump.datagram(datagram(1));
    expect(b.timers).toEqual([]);
  });

  it('what is due comes before the next datagram: a flood cannot starve time', () => {
    const b = bench({
      tick: (t) => {
        b.happened.push(`tick ${t.now}`);
        b.setDue(undefined);
      },
    });
    b.setDue(1010);
    b.pump.datagram(datagram(1));
    b.time.now = 1011; // the event loop is busy with datagrams, no timer has run
    b.pump.datagram(datagram(2));
    expect(b.happened).toEqual(['datagram 1', 'tick 1011', 'datagram 2']);
  });

  it("a question's answer goes back with its ticket", async () => {
    const b = bench();
    b.outputs.push({ do: 'ask', ticket: 42, question: posture });
    b.pump.datagram(datagram(1));
    expect(b.happened).toEqual(['datagram 1']); // never inside the verb that asked
    await Promise.resolve();
    expect(b.happened).toEqual(['datagram 1', 'answer 42 posture']);
  });

  it('an answer that comes after the end is nobody’s', async () => {
    const b = bench();
    b.outputs.push({ do: 'ask', ticket: 42, question: posture });
    b.setDue(2000);
    b.pump.datagram(datagram(1));
    b.pump.stop();
    await Promise.resolve();
    b.pump.datagram(datagram(2));
    expect(b.happened).toEqual(['datagram 1']);
    expect(b.live()).toEqual([]);
  });

  it('a question that fails is told; nothing is left unhandled and the engine goes on', async () => {
    const b = bench({}, { ask: () => Promise.reject(new Error('lost')) });
    b.outputs.push({ do: 'ask', ticket: 1, question: posture });
    b.pump.datagram(datagram(1));
    await new Promise((resolve) => setImmediate(resolve));
    expect(b.events).toMatchObject([{ kind: 'fault', where: 'question posture', stack: expect.stringContaining('lost') }]);
  });
});

describe('faults', () => {
  it('one datagram that breaks the engine costs one datagram', () => {
    const b = bench({
      datagram: (d) => {
        if (d.octets[0] === 1) throw new Error('broken by one');
        b.outputs.push(send(2));
      },
    });
    b.pump.datagram(datagram(1));
    b.pump.datagram(datagram(2));
    expect(b.happened).toEqual(['tell fault', 'send 2']);
    expect(b.events).toMatchObject([{ where: 'engine.datagram', stack: expect.stringContaining('broken by one') }]);
    expect(b.pump.faults).toBe(1);
  });

  it('one output that cannot be carried out does not take the others along', () => {
    const b = bench(
      {},
      {
        child: () => {
          throw new Error('no');
        },
      },
    );
    b.outputs.push({ do: 'remove', spi: 1, replaced: false }, send(2));
    b.pump.datagram(datagram(1));
    expect(b.happened).toEqual(['datagram 1', 'tell fault', 'send 2']);
  });

  it('a broken tick is not tried again at once, neither by the timer nor by datagrams', () => {
    let ticks = 0;
    const b = bench({
      tick: () => {
        ticks += 1;
        throw new Error('tick');
      },
    });
    b.setDue(900);
    b.pump.datagram(datagram(1));
    b.pump.datagram(datagram(2));
    expect(ticks).toBe(1);
    expect(b.live()).toEqual([1000]);
    b.ring();
    expect(ticks).toBe(2);
    expect(b.live()).toEqual([1000]);
  });

  it('a journal that breaks is survived', () => {
    const b = bench(
      {
        datagram: () => {
          throw new Error('x');
        },
      },
      {
        tell: () => {
          throw new Error('journal');
        },
      },
    );
    b.pump.datagram(datagram(1));
    expect(b.pump.faults).toBe(1);
  });
});
