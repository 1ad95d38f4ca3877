/**
 * What else the lab client can do wrong to whole messages: headers, flags, IDs, order, repetition, things in the clear. A table
 * like that of the payloads; a column for each exchange.
 */
import { describe, expect, it } from 'vitest';
import type { LabClient } from '../../src/lab/index.ts';
import { Scene } from '../story/support/scene.ts';
import { configOf } from '../support/configs.ts';

/**
 * ok: as if nothing were wrong · bare: the same without the child, for TS_UNACCEPTABLE · mute: no answer that the client may
 * believe, it gives up · otherwise how the notify begins that says no
 *
 * `>` in front of it: the gateway says so, but the client cannot take it for an answer: it has the exchange type of the message
 * as it was sent, not as it was meant, or it asks for what the client did. `!` behind it: and the IKE SA is over for both.
 */
const table = `
impairment                  | IKE_SA_INIT           | IKE_AUTH             | CREATE_CHILD_SA      | INFORMATIONAL
reorder                     | ok                    | ok                   | ok                   | ok
unknown                     | ok                    | ok                   | ok                   | ok
critical-unknown            | UNSUPPORTED_CRITICAL  | UNSUPPORTED_CRITICAL | UNSUPPORTED_CRITICAL | UNSUPPORTED_CRITICAL
clear                       | ok                    | ok                   | ok                   | ok
reserved                    | ok                    | ok                   | ok                   | ok
version:minor               | ok                    | ok                   | ok                   | ok
version:major               | INVALID_MAJOR_VERSION | mute                 | mute                 | mute
twice                       | ok                    | ok                   | ok                   | ok
replay                      | ok                    | ok                   | ok                   | ok
truncate                    | mute                  | mute                 | mute                 | mute
trail                       | mute                  | mute                 | mute                 | mute
length:short                | mute                  | mute                 | mute                 | mute
length:long                 | mute                  | mute                 | mute                 | mute
mid+1                       | mute                  | mute                 | mute                 | mute
mid-1                       | mute                  | mute                 | mute                 | mute
flag:response               | mute                  | mute                 | mute                 | mute
flag:initiator              | mute                  | mute                 | mute                 | mute
wrong-spi:SPIr              | mute                  | mute                 | mute                 | mute
wrong-spi:SPIi              | mute                  | mute                 | mute                 | mute
flip:ICV                    | AUTHENTICATION_FAILED | mute                 | mute                 | mute
flip:SK                     | AUTHENTICATION_FAILED | mute                 | mute                 | mute
flip:HEADER                 | mute                  | mute                 | mute                 | mute
exchange:IKE_SA_INIT        | ok                    | mute                 | mute                 | mute
exchange:IKE_AUTH           | mute                  | ok                   | >INVALID_SYNTAX!     | >INVALID_SYNTAX!
exchange:CREATE_CHILD_SA    | mute                  | >INVALID_SYNTAX      | ok                   | >INVALID_SYNTAX!
exchange:INFORMATIONAL      | mute                  | mute                 | mute                 | ok
exchange:IKE_SESSION_RESUME | mute                  | >INVALID_SYNTAX      | >INVALID_SYNTAX!     | >INVALID_SYNTAX!
exchange:IKE_INTERMEDIATE   | mute                  | >INVALID_SYNTAX      | >INVALID_SYNTAX!     | >INVALID_SYNTAX!
exchange:IKE_FOLLOWUP_KE    | mute                  | >INVALID_SYNTAX      | >INVALID_SYNTAX!     | >INVALID_SYNTAX!
group                       | >INVALID_KE_PAYLOAD   | ok                   | ok                   | ok
split:TS                    | ok                    | ok                   | ok                   | ok
backwards:TS                | ok                    | bare                 | bare                 | ok
`;

const config = configOf({ profiles: [{ phase1: { proposal: 'aes128-sha256', dhgrp: '31' } }] });
const [head = [], ...rows] = table
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()));
const cases = rows.map(([impairment = '', ...words]) => ({
  impairment,
  cells: words.map((word, i) => ({ exchange: head[i + 1] ?? '', word })),
}));

describe.each(cases)('$impairment', ({ impairment, cells }) => {
  it.each(cells)('in $exchange: $word', async ({ exchange, word }) => {
    const s = new Scene({ config });
    const client = s.client({ impair: `${impairment}@${exchange}`, retransmit: { first: 1000, factor: 1, most: 1 } });
    s.forgive(client);
    client.start(s.now);
    await s.run({ until: () => client.at === 'established' || client.at === 'failed' });
    const before = exchange === 'IKE_SA_INIT' || exchange === 'IKE_AUTH' ? 0 : 1; // children
    if (before === 1) expect(client.at).toBe('established');
    if (exchange === 'CREATE_CHILD_SA') client.createChild(s.now);
    if (exchange === 'INFORMATIONAL') client.informational(s.now, []);
    await s.settle();

    if (word === 'ok' || word === 'bare')
      expectIn(s, client, exchange === 'INFORMATIONAL' || word === 'bare' ? before : before + 1);
    else expectOut(s, client, before, word);
    expect(client.status.notifyNames.includes('TS_UNACCEPTABLE')).toBe(word === 'bare');
    await s.end();
  });
});

function expectIn({ gateway }: Scene, client: LabClient, children: number): void {
  const { at, why, outcomes } = client.status;
  expect({ at, why, closed: gateway.told('closed') }).toEqual({ at: 'established', why: '', closed: [] });
  expect(client.installed).toBe(children);
  for (const { why: no } of outcomes.filter((o) => !o.ok)) expect(no).toBe('TS_UNACCEPTABLE');
}

function expectOut({ gateway }: Scene, client: LabClient, children: number, word: string): void {
  const { at, why, outcomes } = client.status;
  const notify = word.replace(/^>|!$/g, '');
  const ends = children === 0 || word.endsWith('!');
  expect(gateway.everInstalled).toHaveLength(children);
  if (word === 'mute' || word.startsWith('>')) {
    expect(why).toMatch(/^no answer to /);
    expect(gateway.said.some((line) => line.includes(notify))).toBe(word !== 'mute');
  } else {
    expect([why, ...outcomes.map((o) => o.why)].join()).toContain(notify);
    expect(at).toBe(children === 0 ? 'failed' : ends ? 'closed' : 'established');
  }
  expect(gateway.told('closed')).toHaveLength(children === 1 && ends ? 1 : 0);
}
