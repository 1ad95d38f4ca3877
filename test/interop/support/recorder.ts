/**
 * A gateway that writes down what it lives through: `node recorder.ts CONFIG ADDRESS SEED OUT SOURCE`. Real sockets, real
 * time, but randomness from a seed; at SIGTERM it says goodbye to its peers and writes the recording.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { loadConfig } from '../../../src/config/index.ts';
import { answers } from '../../../src/daemon/answers.ts';
import { Pump, type PumpedEngine } from '../../../src/daemon/pump.ts';
import { type Clocks, Engine } from '../../../src/ike/index.ts';
import { openUdp, type UdpPort } from '../../../src/net/index.ts';
import { hex } from '../../../src/wire/index.ts';
import { answerData, type Input, type Recording, type Step, seeded, sentBy } from '../../support/recording.ts';

const [configFile = '', address = '', seed = '', out = '', source = ''] = process.argv.slice(2);
const text = readFileSync(configFile, 'utf8');
const { config, findings } = loadConfig(text);
if (findings.some(({ level }) => level === 'error')) throw new Error(JSON.stringify(findings));

const start = performance.now();
const clocks = (): Clocks => ({ now: Math.floor(performance.now() - start), unix: Math.floor(Date.now() / 1000) });
const began = clocks();
const engine = new Engine({ config, entropy: seeded(seed), clocks: began });
const steps: (Clocks & Input & { sent: readonly string[] })[] = [];
const write = (input: Input, { now, unix }: Clocks) => void steps.push({ now, unix, ...input, sent: [] });

/** The engine as the pump sees it, with a pen. */
const recorded: PumpedEngine = {
  datagram(d, t) {
    const { octets, from, to, natt } = d;
    write({ did: 'datagram', from: { ...from }, to: { ...to }, natt, octets: hex(octets) }, t);
    engine.datagram(d, t);
  },
  answer(ticket, answer, t) {
    write({ did: 'answer', ticket, answer: answerData(answer) }, t);
    engine.answer(ticket, answer, t);
  },
  command(command, t) {
    write({ did: 'command', command }, t);
    engine.command(command, t);
  },
  tick(t) {
    write({ did: 'tick' }, t);
    engine.tick(t);
  },
  deadline: () => engine.deadline(),
  take() {
    const outputs = engine.take();
    const step = steps.at(-1);
    if (step) step.sent = [...step.sent, ...sentBy(outputs)];
    return outputs;
  },
};

let udp: UdpPort | undefined;
const pump = new Pump(recorded, {
  clocks,
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  send: (from, to, octets) => udp?.send(from, to, octets),
  ask: answers(
    () => Promise.reject(new Error('no profile of a recording has a tag rule')),
    () => clocks().unix,
  ),
  child: () => undefined,
  tell: (event) => console.error(JSON.stringify(event)),
  say: () => undefined,
  keys: () => undefined,
  share: () => undefined,
});
udp = await openUdp({ listen: [address], ikePort: 500, nattPort: 4500, onDatagram: (d) => pump.datagram(d) });
console.log('recorder: ready');

process.once('SIGTERM', () => {
  pump.command({ do: 'shutdown' });
  setTimeout(() => {
    pump.stop();
    const kept: readonly Step[] = steps.filter(({ did, sent }) => did !== 'tick' || sent.length > 0);
    const recording: Recording = { source, seed, config: text.split('\n'), began, steps: kept };
    writeFileSync(out, `${JSON.stringify(recording, undefined, 1)}\n`);
    process.exit(0);
  }, 500);
});
