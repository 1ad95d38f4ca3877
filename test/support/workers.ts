/** A gateway of two workers over loopback sockets, with the lab host behind each: no rights are needed, Linux and koffi are. */
import type { Worker } from 'node:worker_threads';
import { expect } from 'vitest';
import { randomOctets, Secret } from '../../crypto/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { Gateway } from '../../src/daemon/gateway.ts';
import { openWorkers, type WorkersOptions } from '../../src/daemon/workers.ts';
import { Dial, identity } from '../../src/lab/index.ts';
import { renderLine } from '../../src/log/debug.ts';
import type { Event } from '../../src/log/index.ts';
import { systemCalls } from '../../src/net/index.ts';

const PSK = 'kiesel-und-sand';
export const BEHIND = '10.50.0.1';

export const configOf = (more: readonly string[] = []) => `config vpn ipsec phase1-interface
    edit "ra"
        set type dynamic
        set ike-version 2
        set interface "port1"
        set peertype any
        set proposal aes128gcm-prfsha256
        set dhgrp 31
        set mode-cfg enable
        set assign-ip-from range
        set ipv4-start-ip 10.99.0.1
        set ipv4-end-ip 10.99.0.64
        set ipv4-netmask 255.255.255.0
        set psksecret ${PSK}
        ${more.join('\n        ')}
    next
end
config vpn ipsec phase2-interface
    edit "ra-p2"
        set phase1name "ra"
        set proposal aes128gcm
        set dhgrp 31
    next
end
`;

export type Stage = {
  readonly gateway: Gateway;
  readonly threads: Map<number, Worker>;
  readonly events: Event[];
  readonly notes: string[];
  /** What was said with a note the last time. */
  readonly fields: Map<string, unknown>;
  readonly lines: string[];
  dial(id: string, more?: Partial<Parameters<typeof Dial.start>[0]>): Promise<Dial>;
  until(done: () => boolean | Promise<boolean>): Promise<void>;
};

/** Plays with it, and ends it. */
export const staged =
  (play: (stage: Stage) => Promise<void>, more: readonly string[] = [], also: Partial<WorkersOptions> = {}) =>
  async () => {
    const source = configOf(more);
    const { config, findings } = loadConfig(source);
    expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
    const calls = await systemCalls();
    if (typeof calls === 'string') throw new Error(calls);
    const threads = new Map<number, Worker>();
    const fields = new Map<string, unknown>();
    const [events, notes, lines, dials]: [Event[], string[], string[], Dial[]] = [[], [], [], []];
    const gateway = await openWorkers(
      {
        ...{ listen: ['127.0.0.1'], ikePort: 0, nattPort: 0, inner: { kind: 'lab' }, workers: 2, calls },
        loaded: { config, source },
        ...also,
        onThread(worker, index) {
          threads.set(index, worker);
          also.onThread?.(worker, index);
        },
      },
      {
        note(level, message, more) {
          notes.push(`${level} ${message}`);
          fields.set(message, more);
        },
        tell: (event) => void events.push(event),
        say: (scope, line) => void lines.push(renderLine(scope, line)),
        resolve: () => Promise.reject(new Error('no profile has a tag rule')),
        share: () => undefined,
      },
    );
    const port = (natt: boolean) => gateway.listening.find((l) => l.natt === natt)?.port ?? 0;
    try {
      gateway.begin(undefined);
      await play({
        ...{ gateway, threads, events, notes, fields, lines },
        async dial(id, also = {}) {
          const dial = await Dial.start({
            ...{ remote: { address: '127.0.0.1', port: port(false) }, nattPort: port(true), random: randomOctets },
            keyPair: (group) => group.generate(),
            auth: { kind: 'psk', psk: Secret.utf8(PSK), id: identity(id) },
            gateway: { kind: 'psk', psk: Secret.utf8(PSK) },
            ...{ ikeProposals: ['aes128gcm-prfsha256'], groups: [31], espProposals: ['aes128gcm'], fakeNat: true },
            ...also,
          });
          dials.push(dial);
          const up = await dial.connected();
          // The client may know before the daemon does, and with it the other worker: who dials again at once would meet neither.
          const from = `:${dial.status.path.local.port}`;
          const told = () => events.some((event) => event.kind === 'established' && event.remote.endsWith(from));
          for (const end = Date.now() + 20_000; up && !told(); ) {
            if (Date.now() > end) throw new Error('nobody was told');
            await new Promise((resolve) => setImmediate(resolve));
          }
          return dial;
        },
        async until(done) {
          for (const end = Date.now() + 60_000; !(await done()); ) {
            if (Date.now() > end) throw new Error(`it never came to that; ${notes.join('; ')}`);
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
        },
      });
    } finally {
      await gateway.stop(); // its clients answer the Deletes
      for (const dial of dials) dial.close();
    }
  };

/** Whose an SA is. */
export const lane = (name: string) => Number(name.split('_').at(-1)) % 2;
