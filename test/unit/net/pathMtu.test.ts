import { describe, expect, it } from 'vitest';
import { systemCalls } from '../../../src/net/index.ts';
import type { SystemCalls } from '../../../src/net/native.ts';
import { largestMtu, pathMtu } from '../../../src/net/pathMtu.ts';

/** A kernel that says of every path what it is told to; a negative number is a refusal of the call named. */
function kernel(mtu: number, refuses: Partial<Record<'socket' | 'bind' | 'connect', number>> = {}) {
  const log: string[] = [];
  const did = (what: string, result: number) => {
    log.push(what);
    return result;
  };
  const calls = {
    socket: (family: number) => did(`socket ${family}`, refuses.socket ?? 7),
    bind: () => did('bind', refuses.bind ?? 0),
    connect: () => did('connect', refuses.connect ?? 0),
    getOption: (_fd: number, level: number, option: number) => did(`option ${level} ${option}`, mtu),
    close: (fd: number) => did(`close ${fd}`, 0),
  };
  return { calls: calls as unknown as SystemCalls, log };
}

describe('the MTU of a path', () => {
  it('is what the kernel says, asked in its family, and nothing stays open', () => {
    const four = kernel(1380);
    expect(pathMtu(four.calls, '192.0.2.1', '198.51.100.7')).toBe(1380);
    expect(four.log).toEqual(['socket 2', 'bind', 'connect', 'option 0 14', 'close 7']);
    const six = kernel(1280);
    expect(pathMtu(six.calls, '2001:db8::1', '2001:db8::2')).toBe(1280);
    expect(six.log).toEqual(['socket 10', 'bind', 'connect', 'option 41 24', 'close 7']);
  });
  it('is no more than there is outside of loopback', () => {
    expect(pathMtu(kernel(65_536).calls, '127.0.0.1', '127.0.0.1')).toBe(9216);
  });
  it.each([
    ['no socket', kernel(1500, { socket: -24 }), '192.0.2.1', '198.51.100.7'],
    ['not our address', kernel(1500, { bind: -99 }), '192.0.2.1', '198.51.100.7'],
    ['no route', kernel(1500, { connect: -101 }), '192.0.2.1', '198.51.100.7'],
    ['no answer', kernel(-107), '192.0.2.1', '198.51.100.7'],
    ['two families', kernel(1500), '192.0.2.1', '2001:db8::2'],
    ['no address', kernel(1500), 'here', 'there'],
  ])('is unknown: %s', (_, { calls, log }, local, remote) => {
    expect(pathMtu(calls, local, remote)).toBeUndefined();
    if (log.includes('bind')) expect(log.at(-1)).toBe('close 7');
  });
  it('by the real kernel', async () => {
    const calls = await systemCalls();
    if (typeof calls === 'string') return expect(process.platform).not.toBe('linux');
    expect(pathMtu(calls, '127.0.0.1', '127.0.0.1')).toBe(9216);
  });
});

describe('the largest MTU of the interfaces listened on', () => {
  const local = [
    { name: 'lo', address: '127.0.0.1', family: 4 },
    { name: 'eth0', address: '192.0.2.1', family: 4 },
    { name: 'ppp0', address: '198.51.100.1', family: 4 },
  ] as const;
  const mtus: Readonly<Record<string, string>> = { lo: '65536\n', eth0: '1500\n', ppp0: '1492\n' };
  const read = (file: string) => {
    const text = mtus[file.split('/')[4] ?? ''];
    return text === undefined ? Promise.reject(new Error('ENOENT')) : Promise.resolve(text);
  };
  it.each([
    [[], 1500],
    [['198.51.100.1'], 1492],
    [['127.0.0.1'], 1500], // of loopback alone nothing follows
  ])('%j: %d', async (listen, mtu) => {
    expect(await largestMtu(listen, local, read)).toBe(mtu);
  });
  it('is 1500 where nobody says', async () => {
    expect(await largestMtu([], local, () => Promise.reject(new Error('ENOENT')))).toBe(1500);
  });
});
