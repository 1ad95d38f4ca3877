/**
 * What the gate costs, and how soon a change is felt. `npm run bench:gate`.
 *
 *   revocation: a tag is taken from a device at the emulated EMS → its client has read the Delete. EMS, daemon and clients are
 *               one process on one thread, over real HTTPS, WebSocket and UDP: what is measured is an upper bound
 *   added CPU:  from the question that the engine asks to the verdict, with a table of 10,000 devices; and with a token, each of
 *               another device and never seen before
 *
 * The exit code is 1 when something did not work, never for a slow figure.
 */
import { randomOctets, Secret } from '../../crypto/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { type Daemon, startDaemon } from '../../src/daemon.ts';
import { Resolver, TokenVerifier } from '../../src/ems/index.ts';
import { Dial, EmsEmulator, fortiClientConnect, identity } from '../../src/lab/index.ts';
import { judge, type PostureQuestion, parsePostureTag } from '../../src/posture/index.ts';
import { spread, table } from './figures.ts';

const [ALONE, TOGETHER, KNOWN, TOKENS] = [200, 1000, 10_000, 500];
const PSK = 'kiesel-und-moos';
const NO_JOURNAL = {
  ...{ event: () => undefined, note: () => undefined, flush: () => undefined },
  counters: { lines: 0, thinned: 0, dropped: 0 },
};
const deviceOf = (n: number) => ({
  uid: n.toString(16).toUpperCase().padStart(32, '0'),
  ip: `10.${20 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`,
});

async function main(): Promise<void> {
  const ems = await EmsEmulator.start({ autoAuthorize: true });
  for (let n = 0; n < KNOWN; n++) ems.addEndpoint(deviceOf(n).uid, { addresses: [deviceOf(n).ip], tags: ['a'] });
  const { config, findings } = loadConfig(configOf(ems));
  const wrong = findings.find(({ level }) => level === 'error');
  if (wrong !== undefined) throw new Error(`line ${wrong.line}: ${wrong.message}`);
  const daemon = await startDaemon({
    ...{
      config,
      listen: ['127.0.0.1'],
      ikePort: 0,
      nattPort: 0,
      capture: undefined,
      captureKeys: undefined,
      journal: NO_JOURNAL,
    },
  });
  try {
    await until(() => daemon.connectors[0]?.records().length === KNOWN, 'EMS has told of all devices');
    await revocation(ems, daemon);
    await addedCpu(ems, daemon);
  } finally {
    await daemon.stop();
    await ems.close();
  }
}

async function revocation(ems: EmsEmulator, daemon: Daemon): Promise<void> {
  note(`connecting ${ALONE + TOGETHER} clients …`);
  const dials: Dial[] = [];
  try {
    for (let n = 0; n < ALONE + TOGETHER; n++) dials.push(await dialOf(n, ems, daemon));
    const taken = async (n: number) => {
      const began = performance.now();
      ems.setTags(deviceOf(n).uid, []);
      if (!(await dials[n]?.until(() => dials[n]?.client.at === 'closed'))) throw new Error(`client ${n} heard no Delete`);
      return performance.now() - began;
    };
    const alone: number[] = [];
    for (let n = TOGETHER; n < TOGETHER + ALONE; n++) alone.push(await taken(n));
    const together = await Promise.all(Array.from({ length: TOGETHER }, (_, n) => taken(n)));
    const row = (name: string, ms: readonly number[], most: string) => [
      name,
      ...[0.5, 0.99, 1].map((share) => `${at(ms, share).toFixed(1)} ms`),
      most,
    ];
    say('From the change at EMS to the Delete in the hands of the client\n');
    say(
      table(
        ['tag taken from', 'median', 'p99', 'last', 'limit (p99)'],
        [row(`one of ${ALONE + TOGETHER}, ${ALONE} times`, alone, '< 100 ms'), row(`${TOGETHER} at once`, together, '')],
      ),
    );
  } finally {
    for (const dial of dials) dial.close();
  }
}

async function addedCpu(ems: EmsEmulator, daemon: Daemon): Promise<void> {
  const tag = parsePostureTag('EMS3_ZTNA_a');
  if (tag === undefined) throw new Error('no tag');
  const rule = { tags: [tag], emsSnCheck: true, unknownDevice: 'deny', uidBinding: 'address' } as const;
  const unix = () => Math.floor(Date.now() / 1000);
  const after = (ms: number, run: () => void) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  };
  const common = { verifier: new TokenVerifier(), lookupWait: 1000, unix, after, onLate: () => undefined };
  const asking = new Resolver({ ...common, sources: daemon.connectors });
  const mute = daemon.connectors.map((c) => ({
    ...{ number: c.number, name: c.name, identity: c.identity, tokenKeys: () => c.tokenKeys() },
    look: () => ({ ems: 3, name: 'lab', kind: 'silent', why: 'for the benchmark', last: undefined }) as const,
    ask: async () => ({ ems: 3, name: 'lab', kind: 'silent', why: 'for the benchmark', last: undefined }) as const,
  }));
  const silent = new Resolver({ ...common, sources: mute });
  const question = (n: number, token?: Uint8Array): PostureQuestion => ({
    ...{ rule, device: { by: 'uid', ...deviceOf(n), certificate: undefined }, announcedBy: undefined },
    ...{ named: { serial: ems.serial, tenant: ems.tenant }, token },
  });
  const untouched = (n: number) => TOGETHER + ALONE + n;
  const one = async <Key>(resolver: Resolver<Key>, q: PostureQuestion) => {
    if (judge(rule, await resolver.resolve(q), undefined, unix()).kind !== 'clear') throw new Error('the gate stayed shut');
  };
  note(`signing ${3 * TOKENS} tokens …`);
  const questions: PostureQuestion[] = [];
  for (let n = 0; n < 3 * TOKENS; n++) {
    const token = await ems.issueToken(deviceOf(untouched(n)).uid);
    questions.push(question(untouched(n), new TextEncoder().encode(token)));
  }
  const fromTable = async (_: number) => {
    for (let n = 0; n < 5000; n++) await one(asking, question(untouched(n)));
    return 5000;
  };
  const fromToken = async (round: number) => {
    for (const q of questions.slice(round * (TOKENS / 2), (round + 1) * (TOKENS / 2))) await one(silent, q);
    return TOKENS / 2;
  };
  const rows: string[][] = [];
  for (const [name, run, most] of [
    ['EMS has told of the device', fromTable, '< 30 µs'],
    ['EMS is silent, a token never seen before', fromToken, ''],
  ] as const) {
    const us: number[] = [];
    for (let round = 0; round < 6; round++) {
      const before = process.cpuUsage();
      const times = await run(round);
      const { user, system } = process.cpuUsage(before);
      if (round > 0) us.push((user + system) / times); // the first is the compiler's
    }
    const { median, least, most: highest } = spread(us);
    rows.push([name, `${median.toFixed(1)} (${least.toFixed(1)}–${highest.toFixed(1)})`, most]);
  }
  say(`\nCPU time of one decision in µs, from question to verdict, ${KNOWN} devices known\n`);
  say(table(['decision', 'µs', 'limit'], rows));
}

async function dialOf(n: number, ems: EmsEmulator, daemon: Daemon): Promise<Dial> {
  const port = (natt: boolean) => daemon.listening.find((l) => l.natt === natt)?.port ?? 0;
  const { uid, ip } = deviceOf(n);
  const dial = await Dial.start({
    ...{ remote: { address: '127.0.0.1', port: port(false) }, nattPort: port(true), random: randomOctets },
    keyPair: (group) => group.generate(),
    auth: { kind: 'psk', psk: Secret.utf8(PSK), id: identity(ip) },
    gateway: { kind: 'psk', psk: Secret.utf8(PSK) },
    ...{ ikeProposals: ['aes128gcm-prfsha256'], groups: [31], espProposals: ['aes128gcm'] },
    claims: fortiClientConnect({ uid, ip, user: 'alice', emssn: ems.serial, emsid: ems.tenant }),
  });
  if (!(await dial.connected())) throw new Error(`client ${n}: ${dial.status.why}`);
  return dial;
}

function configOf(ems: EmsEmulator): string {
  return `config vpn certificate ca
    edit "ems-ca"
        set ca "${ems.ca.trim()}"
    next
end
config endpoint-control fctems
    edit 3
        set status enable
        set name "lab"
        set server "127.0.0.1"
        set https-port ${ems.port}
        set serial-number ${ems.serial}
        set verifying-ca "ems-ca"
    next
end
config vpn ipsec phase1-interface
    edit "ra"
        set type dynamic
        set ike-version 2
        set peertype any
        set mode-cfg enable
        set psksecret ${PSK}
        set proposal aes128gcm-prfsha256
        set dhgrp 31
        set ipv4-start-ip 10.139.0.2
        set ipv4-end-ip 10.139.20.250
        set ems-sn-check enable
        set remote-gw-match ztna
        set remote-gw-ztna-tags "EMS3_ZTNA_a"
    next
end
config vpn ipsec phase2-interface
    edit "ra"
        set phase1name "ra"
        set proposal aes128gcm
        set pfs disable
    next
end
`;
}

async function until(done: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 20_000; !done(); ) {
    if (Date.now() > end) throw new Error(`never so: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const at = (values: readonly number[], share: number) =>
  [...values].sort((a, b) => a - b)[Math.ceil(share * values.length) - 1] ?? Number.NaN;
const say = (text: string) => process.stdout.write(`${text}\n`);
/** Progress is nobody's figure. */
const note = (text: string) => process.stderr.write(`${text}\n`);

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
