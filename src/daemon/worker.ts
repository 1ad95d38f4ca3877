/**
 * A worker: one gateway in a thread of its own, with its part of the clients. The first thing that such a thread runs: all it
 * must know of the world it asks the daemon for (`workers.ts`), all that it has to tell goes there, in bundles of one turn.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { kernelSockets, systemCalls } from '../net/index.ts';
import type { Evidence } from '../posture/index.ts';
import { type GatewayWorld, type LocalGateway, openGateway } from './gateway.ts';
import { insideOpener } from './inside.ts';
import { Questions, resultOf } from './questions.ts';
import { reader } from './reload.ts';
import { chooseCrypto } from './selfCheck.ts';
import { shareOf } from './share.ts';
import { BEAT } from './watchdog.ts';
import type { Farewell, Order, Report, WorkerStart } from './workerTalk.ts';

/** Bundles of reports that the daemon has not taken yet, from which on debug lines are left out. */
const MOST_UNHEARD = 64;
/** Farewells: so many at a time, so far apart (ms); and again, since a datagram may be lost. */
const FAREWELLS = { many: 128, apart: 5, again: [0, 1000, 3000] };

const start = workerData as WorkerStart;
const lane = { index: start.index, count: start.count };
const questions = new Questions();
const loaded = reader();
let gateway: LocalGateway | undefined;

let bundle: Report[] = [];
let unheard = 0;
let leftOut = 0;
let listening: LocalGateway['listening'] | undefined;

function report(one: Report): void {
  if (bundle.length === 0) queueMicrotask(flush);
  bundle.push(one);
}

function flush(): void {
  if (gateway !== undefined && listening !== undefined && gateway.listening !== listening) {
    listening = gateway.listening;
    bundle.push({ say: 'listening', listening });
  }
  if (bundle.length === 0) return;
  unheard += 1;
  parentPort?.postMessage(bundle);
  bundle = [];
}

const answer = async (id: number, work: () => unknown): Promise<void> => report({ say: 'answer', id, ...(await resultOf(work)) });

function obey(order: Order): void {
  switch (order.do) {
    case 'heard':
      unheard -= 1;
      return;
    case 'answer':
      return questions.answered(order.id, order);
    case 'begin':
      gateway?.begin(undefined);
      return void answer(order.id, () => sayFarewell(order.farewells));
    case 'debug':
      return gateway?.debug(order.on);
    case 'command':
      return gateway?.command(order.command);
    case 'yield':
    case 'prepare':
    case 'commit':
      return void answer(order.id, () => {
        const next = loaded(order.source);
        return gateway?.[order.do](next);
      });
    case 'state':
      return void answer(order.id, async () => {
        const state = await gateway?.state();
        return state && { ...state, counters: { ...state.counters, linesLeftOut: leftOut } };
      });
    case 'stop':
      return void answer(order.id, () => gateway?.stop());
  }
}

/** Sends them all in each round. Resolves after the first. */
function sayFarewell(all: readonly Farewell[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (all.length === 0) resolve();
  for (const later of all.length === 0 ? [] : FAREWELLS.again)
    for (let at = 0; at < all.length; at += FAREWELLS.many) {
      const some = all.slice(at, at + FAREWELLS.many);
      const wait = later + (at / FAREWELLS.many) * FAREWELLS.apart;
      setTimeout(() => {
        for (const one of some) gateway?.send(one);
        if (at + FAREWELLS.many >= all.length) resolve();
      }, wait).unref();
    }
  return promise;
}

async function main(): Promise<void> {
  const { config } = loaded(start.source);
  const note: GatewayWorld['note'] = (level, message, fields) => report({ say: 'note', level, message, fields });
  await chooseCrypto({ note: () => undefined });
  const calls = await systemCalls();
  if (typeof calls === 'string') throw new Error(calls); // the daemon has looked
  const sockets = kernelSockets(
    {
      ...calls,
      close(fd) {
        report({ say: 'release', fd });
        return 0;
      },
    },
    (local, port, natt) => questions.ask<number>((id) => report({ say: 'socket', id, local, port, natt })),
  );
  const { moment } = start;
  const shift = moment.now + Number(process.hrtime.bigint() - moment.hrtime) / 1e6 - performance.now();
  const opened = await openGateway(
    {
      ...{ config, lane, listen: start.listen, ikePort: start.ikePort, nattPort: start.nattPort, exportKeys: false },
      inner: start.inner && insideOpener(start.inner, shareOf(config, lane), start.listen, note),
      openSocket: sockets,
      now: () => performance.now() + shift,
    },
    {
      note,
      tell: (event) => report({ say: 'event', event }),
      say(scope, line) {
        if (unheard < MOST_UNHEARD) report({ say: 'line', scope, line });
        else leftOut += 1;
      },
      resolve: (question) => questions.ask<Evidence>((id) => report({ say: 'resolve', id, question })),
      share: ({ do: say, ...rest }) => report({ say, ...rest } as Report), // the same words on both sides
    },
  );
  gateway = opened;
  listening = opened.listening;
  report({ say: 'ready', listening, traffic: opened.traffic });
}

const beat = (): number => Atomics.add(start.beats, 0, 1);
beat(); // at once: from here on it is watched
setInterval(beat, BEAT).unref();
parentPort?.on('message', obey);
const outcome = await resultOf(main);
if (!outcome.ok) report({ say: 'refused', ...outcome });
