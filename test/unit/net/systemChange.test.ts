/** Routes and masquerade as a whole: what `ip` and `nft` are told, and what is left when they refuse. */
import { describe, expect, it } from 'vitest';
import { type NatRule, nftLines, removeLeftovers } from '../../../src/net/masquerade.ts';
import { hasProgram, runProgram } from '../../../src/net/programs.ts';
import { EnvironmentRefused } from '../../../src/net/refusal.ts';
import { System } from '../../../src/net/system.ts';
import { FakeMachine, missing } from './fakeMachine.ts';

const net = (third: number) => ({ start: Uint8Array.of(10, 10, third, 0), end: Uint8Array.of(10, 10, third, 255) });
const net6 = (last: number) => {
  const start = Uint8Array.of(0xfd, 0x10, 0, 0, 0, 0, 0, last, ...new Uint8Array(8));
  return {
    start,
    end: start
      .with(14, 255)
      .with(15, 255)
      .map((octet, i) => (i < 8 ? octet : 255)),
  };
};
const rules: readonly NatRule[] = [{ masquerade: true, from: [net(1)], to: [net(9)] }];
const other: readonly NatRule[] = [{ masquerade: true, from: [net(2)], to: [net(9)] }];
const refusal = { code: 1, stdout: '', stderr: 'Error: Could not process rule: Operation not permitted\n' };

/** A system whose pools are networks 1 and 2, masqueraded. */
async function standing() {
  const machine = new FakeMachine();
  const system = new System('postern0', machine.run);
  await system.become({ routes: [net(1), net(2)], nat: rules });
  machine.asked.length = 0;
  return { machine, system, before: { routes: new Map(machine.routes), nft: machine.nft } };
}
const now = ({ routes, nft }: FakeMachine) => ({ routes: new Map(routes), nft });
const refused = (work: Promise<unknown>) =>
  work.then(
    () => expect.fail('it was taken'),
    (error: unknown) => (error instanceof EnvironmentRefused ? error : expect.fail(String(error))),
  );

describe('a start', () => {
  it('brings the device up and routes each prefix once, each family by itself', async () => {
    const machine = new FakeMachine();
    const system = new System('postern0', machine.run);
    await system.up(1390);
    await system.become({ routes: [net(1), net6(1), net(1)], nat: [] });
    expect(machine.asked).toEqual([
      { program: 'ip', args: ['link', 'set', 'dev', 'postern0', 'mtu', '1390', 'up'], text: '' },
      { program: 'ip', args: ['-batch', '-'], text: 'route add 10.10.1.0/24 dev postern0 proto 80\n' },
      {
        program: 'ip',
        args: ['-6', '-batch', '-'],
        text: 'route add fd10:0000:0000:0001:0000:0000:0000:0000/64 dev postern0 proto 80\n',
      },
    ]);
  });

  it('refuses a prefix that somebody else routes, names it, and leaves nothing', async () => {
    const machine = new FakeMachine();
    machine.routes.set('10.10.2.0/24', 'eth1');
    const why = await refused(new System('postern0', machine.run).become({ routes: [net(1), net(2), net(3)], nat: rules }));
    expect(why).toMatchObject({ code: 'EEXIST', message: '10.10.2.0/24 is routed already, by somebody else.' });
    expect(why.fix).toContain('`ip route show 10.10.2.0/24`');
    expect(now(machine)).toEqual({ routes: new Map([['10.10.2.0/24', 'eth1']]), nft: '' });
  });

  it('waits for a prefix that another worker of ours is about to lose', async () => {
    const machine = new FakeMachine();
    machine.routes.set('10.10.2.0/24', 'postern1');
    const other = setTimeout(() => machine.routes.delete('10.10.2.0/24'), 20);
    await new System('postern0', machine.run).become({ routes: [net(1), net(2), net(3)], nat: [] });
    clearTimeout(other);
    expect([...machine.routes.values()]).toEqual(['postern0', 'postern0', 'postern0']);
  });

  it('does not wait for ever: another gateway may keep it', async () => {
    const machine = new FakeMachine();
    machine.routes.set('10.10.2.0/24', 'postern1');
    const why = await refused(new System('postern0', machine.run).become({ routes: [net(1), net(2)], nat: [] }));
    expect(why.code).toBe('EEXIST');
    expect([...machine.routes.entries()]).toEqual([['10.10.2.0/24', 'postern1']]);
  });

  it('says so of IPv6 with the command of IPv6', async () => {
    const machine = new FakeMachine();
    machine.routes.set('fd10:0000:0000:0001:0000:0000:0000:0000/64', 'eth1');
    const why = await refused(new System('postern0', machine.run).become({ routes: [net(1), net6(1)], nat: [] }));
    expect(why.fix).toContain('`ip -6 route show fd10:');
    expect([...machine.routes.values()]).toEqual(['eth1']);
  });

  it.each(['ip', 'nft'])('without %s says what to install, and leaves nothing', async (program) => {
    const machine = new FakeMachine();
    machine.wrong = (one) => (one === program ? missing(program) : undefined);
    const why = await refused(new System('postern0', machine.run).become({ routes: [net(1)], nat: rules }));
    expect(why).toMatchObject({ code: 'ENOENT', message: `${program} is not installed.` });
    expect(why.fix).toContain(program === 'ip' ? 'apt-get install iproute2' : 'apt-get install nftables');
    expect(now(machine)).toEqual({ routes: new Map(), nft: '' });
  });

  it('of a program that does not end is refused, too', async () => {
    const machine = new FakeMachine();
    machine.wrong = () => ({ code: undefined, stdout: '', stderr: '' });
    expect(await refused(new System('postern0', machine.run).up(1390))).toMatchObject({
      message: 'ip refuses: no end of it in 30 s.',
    });
  });
});

describe('a change', () => {
  it('adds what is new, then rules, then takes away what is gone; what stays is not touched', async () => {
    const { machine, system } = await standing();
    await system.become({ routes: [net(2), net(3)], nat: other });
    expect(machine.order).toEqual(['add 10.10.3.0/24', 'nft', 'del 10.10.1.0/24']);
    expect([...machine.routes.keys()]).toEqual(['10.10.2.0/24', '10.10.3.0/24']);
    expect(machine.nft).toBe(nftLines('postern0', other));
  });

  it('of nothing asks `ip` nothing; rules are put in force again, since somebody may have flushed them', async () => {
    const { machine, system } = await standing();
    await system.become({ routes: [net(1), net(2)], nat: rules });
    expect(machine.order).toEqual(['nft']);
  });

  it('to no masquerade ends our table, and then nft is let alone', async () => {
    const { machine, system } = await standing();
    await system.become({ routes: [net(1), net(2)], nat: [] });
    expect(machine.nft).toBe(nftLines('postern0', []));
    await system.become({ routes: [net(1), net(2)], nat: [] });
    expect(machine.order).toEqual(['nft']);
  });

  it('that nft refuses leaves routes and rules as they were', async () => {
    const { machine, system, before } = await standing();
    machine.wrong = (_, text) => (text === nftLines('postern0', other) ? refusal : undefined);
    const why = await refused(system.become({ routes: [net(3)], nat: other }));
    expect(why.message).toBe('nft refuses: Error: Could not process rule: Operation not permitted.');
    expect(now(machine)).toEqual(before);
  });

  it('whose third route is refused leaves routes and rules as they were', async () => {
    const { machine, system, before } = await standing();
    machine.routes.set('10.10.5.0/24', 'eth1');
    const why = await refused(system.become({ routes: [net(3), net(4), net(5)], nat: other }));
    expect(why.message).toContain('10.10.5.0/24');
    expect(machine.routes.get('10.10.5.0/24')).toBe('eth1');
    machine.routes.delete('10.10.5.0/24');
    expect(now(machine)).toEqual(before);
  });

  it('whose old routes cannot be taken away leaves routes and rules as they were', async () => {
    const { machine, system, before } = await standing();
    machine.wrong = (_, text) => {
      if (!text.startsWith('route del 10.10.1.0/24')) return undefined;
      machine.routes.delete('10.10.1.0/24'); // one of them went before it failed
      return { code: 1, stdout: '', stderr: 'RTNETLINK answers: Operation not permitted\nCommand failed -:2\n' };
    };
    await refused(system.become({ routes: [net(3)], nat: other }));
    expect(now(machine)).toEqual(before);
  });

  it('that was refused is the base of the next', async () => {
    const { machine, system } = await standing();
    machine.wrong = (program) => (program === 'nft' ? refusal : undefined);
    await refused(system.become({ routes: [net(3)], nat: other }));
    machine.wrong = () => undefined;
    machine.asked.length = 0;
    await system.become({ routes: [net(2), net(3)], nat: rules });
    expect(machine.order).toEqual(['add 10.10.3.0/24', 'nft', 'del 10.10.1.0/24']);
  });

  it('does not mind that a route it takes away has gone by itself', async () => {
    const { machine, system } = await standing();
    machine.routes.delete('10.10.1.0/24');
    await system.become({ routes: [net(2)], nat: rules });
    expect([...machine.routes.keys()]).toEqual(['10.10.2.0/24']);
  });

  it('waits for the one before it; at the end nothing of ours comes back', async () => {
    const { machine, system } = await standing();
    const all = [
      system.become({ routes: [net(3)], nat: other }),
      system.routes(['192.168.7.0/24']),
      system.close(),
      system.become({ routes: [net(4)], nat: rules }),
      system.routes(['192.168.8.0/24']),
    ];
    await Promise.all(all);
    expect(machine.busiest).toBe(1);
    expect([...machine.routes.keys()]).toEqual(['10.10.3.0/24', '192.168.7.0/24']);
    expect(machine.nft).toBe(nftLines('postern0', []));
  });
});

describe('routes of clients', () => {
  it('come and go beside the pools, and stay through another configuration', async () => {
    const { machine, system } = await standing();
    expect(await system.routes(['192.168.7.0/24', '10.10.2.0/24'])).toEqual([]);
    await system.become({ routes: [net(1)], nat: rules });
    expect([...machine.routes.keys()]).toEqual(['10.10.1.0/24', '10.10.2.0/24', '192.168.7.0/24']);
    expect(await system.routes(['192.168.8.0/24'])).toEqual([]);
    expect([...machine.routes.keys()]).toEqual(['10.10.1.0/24', '192.168.8.0/24']);
    await system.routes([]);
    expect([...machine.routes.keys()]).toEqual(['10.10.1.0/24']);
  });

  it('that cannot be had are told, the others are had', async () => {
    const { machine, system } = await standing();
    machine.routes.set('192.168.8.0/24', 'eth1');
    expect(await system.routes(['192.168.7.0/24', '192.168.8.0/24', '192.168.9.0/24'])).toEqual([
      {
        prefix: '192.168.8.0/24',
        why: '192.168.8.0/24 is routed already, by somebody else.',
        fix: expect.stringContaining('`ip route show 192.168.8.0/24`'),
      },
    ]);
    expect(machine.routes.get('192.168.8.0/24')).toBe('eth1');
    await system.routes([]);
    expect([...machine.routes.entries()]).toEqual([
      ['10.10.1.0/24', 'postern0'],
      ['10.10.2.0/24', 'postern0'],
      ['192.168.8.0/24', 'eth1'],
    ]);
  });

  it('of which nothing is known are taken back, and refused as a whole', async () => {
    const { machine, system, before } = await standing();
    machine.wrong = (_, text) => (text.startsWith('route add') ? missing('ip') : undefined);
    await refused(system.routes(['192.168.7.0/24']));
    expect(now(machine)).toEqual(before);
  });

  it('that cannot be taken back are told, and tried again', async () => {
    const { machine, system, before } = await standing();
    await system.routes(['192.168.7.0/24']);
    machine.wrong = (_, text) => (text.startsWith('route del') ? refusal : undefined);
    expect(await system.routes([])).toMatchObject([{ prefix: '192.168.7.0/24', why: expect.stringContaining('taken back') }]);
    machine.wrong = () => undefined;
    await system.routes([]);
    expect(now(machine)).toEqual(before);
  });
});

describe('what a killed gateway left', () => {
  const ours = ['postern_masquerade_postern0', 'postern_masquerade_postern1'];
  const left = async (devices: readonly string[] | undefined) => {
    const machine = new FakeMachine();
    machine.tables = [...ours, 'postern_of_somebody'];
    const there = devices === undefined ? undefined : new Set(devices);
    return { gone: await removeLeftovers(machine.run, () => Promise.resolve(there)), tables: machine.tables };
  };

  it('is removed when its device is gone, and nothing else is', async () => {
    expect(await left(['lo', 'postern1'])).toEqual({
      gone: ['postern0'],
      tables: ['postern_masquerade_postern1', 'postern_of_somebody'],
    });
  });

  it('stays in doubt: when the devices cannot be told', async () => {
    expect(await left(undefined)).toEqual({ gone: [], tables: [...ours, 'postern_of_somebody'] });
  });

  it.each([missing('nft'), refusal])('stays when nft says nothing of use, and the start goes on', async (answer) => {
    const machine = new FakeMachine();
    machine.tables = [...ours];
    machine.wrong = () => answer;
    expect(await removeLeftovers(machine.run, () => Promise.resolve(new Set(['lo'])))).toEqual([]);
    expect(machine.tables).toEqual(ours);
  });

  it('is not told as removed when nft would not', async () => {
    const machine = new FakeMachine();
    machine.tables = [...ours];
    machine.wrong = (_, __, [verb]) => (verb === 'delete' ? refusal : undefined);
    expect(await removeLeftovers(machine.run, () => Promise.resolve(new Set(['lo'])))).toEqual([]);
  });

  it('is looked for among the devices of this namespace', async () => {
    const machine = new FakeMachine();
    machine.tables = ['postern_masquerade_lo', 'postern_masquerade_nosuch0'];
    expect(await removeLeftovers(machine.run)).toEqual(process.platform === 'linux' ? ['nosuch0'] : []);
  });
});

describe('a program', () => {
  it('is told its text, and heard to its end', async () => {
    expect(await runProgram(process.execPath, ['-e', 'process.stdin.pipe(process.stdout)'], 'a b\n')).toEqual({
      ...{ code: 0, stdout: 'a b\n', stderr: '' },
    });
    const script = 'console.error(process.argv[1]); process.exit(3)';
    expect(await runProgram(process.execPath, ['-e', script, '$(id) `id`'], '')).toMatchObject({
      ...{ code: 3, stderr: '$(id) `id`\n' },
    });
  });

  it('that is not there is told apart', async () => {
    await expect(runProgram('postern-no-such-program', [], 'x')).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await hasProgram('postern-no-such-program')).toBe(false);
    expect(await hasProgram(process.execPath)).toBe(true);
  });
});
