/** `postern client`: a client shaped like FortiClient, on real sockets, for people who try a gateway out. */
import { EmsNotRunning, EmsRefused, impairments, type LabOptions, realWorld, type Spoken } from '../lab/index.ts';
import { codeOf, EnvironmentRefused } from '../net/index.ts';
import { printable } from '../wire/index.ts';
import { linesOf, meaningOf, messageLine, type Narrator } from './client/narrate.ts';
import { DEFAULTS, type Plan, planOf, TOKEN_NUMBER } from './client/plan.ts';
import { type ClientEnd, type ClientEvent, ClientRunner } from './client/runner.ts';
import { TokenKeeper } from './client/token.ts';
import { EXIT, say, type Terminal } from './exit.ts';
import type { Values } from './options.ts';
import type { Verb } from './verb.ts';

const standard = (words: readonly string[]) => words.join(', ');

export const client: Verb = {
  name: 'client',
  summary: 'connect like a FortiClient: EAP, FORTICLIENT_CONNECT, ZTNA_TAG',
  text: [
    'Connects, says what becomes of it, and stays until Ctrl-C or until the gateway ends it: answers liveness checks and rekeys,',
    'looks whether the gateway is still there, hangs up in order. With --ping it sends pings through the tunnel.',
    '',
    'The gateway proves itself by a pre-shared key (--psk-file, --psk-env) or by a certificate below --ca; we by EAP-MSCHAPv2',
    '(--user), by a certificate (--certificate, --key), else by the same pre-shared key. Secrets come from files or from the',
    'environment, never as words: `ps` shows those to every user of the machine, and the shell keeps them.',
    '',
    'With --uid it tells of itself in FORTICLIENT_CONNECT. A token goes along in IKE_AUTH. Another is sent a minute before it',
    'ends (of a short one at half time): from --token-file, which is sent at once when it changes, from the output of',
    '--token-command, or from a running `postern ems` (--ems); 5 seconds are between two. The number of ZTNA_TAG is not public:',
    'a gateway that learns takes any, another is told by --token-number.',
    '',
    '  postern client --gateway 192.0.2.1 --psk-file psk --user alice --password-file pw \\',
    '    --uid F8A6AFF3531843B4972CBDBEEEB30E3C --ip 10.1.1.7 --ems-serial FCTEMS0000000001 --token-file token.jwt',
    '  postern client … --token-command postern -- ems token F8A6AFF3531843B4972CBDBEEEB30E3C',
    '',
    'Exit codes: 0 it was connected and we hung up (with --ping: something answered); 2 the command line is wrong; 3 the machine',
    'does not allow it; 4 the gateway refused or ended it, or we do not believe it: the notify is printed with what it usually',
    'means; 5 no answer (with --ping: to no ping). Of several clients (--count) the highest. Ctrl-C twice: 130, without waiting',
    'for the gateway.',
  ],
  words: ['[-- ARG …]'],
  options: [
    { name: 'gateway', value: 'ADDR', help: 'its address (127.0.0.1)' },
    { name: 'ike-port', value: 'N', help: 'its UDP port for IKE (500)' },
    { name: 'natt-port', value: 'N', help: 'its UDP port for NAT traversal (4500)' },
    { name: 'from', value: 'ADDR', help: 'the local address to speak from (the one that leads there)' },
    { name: 'psk-file', value: 'FILE', help: 'the pre-shared key' },
    { name: 'psk-env', value: 'NAME', help: 'the environment variable that holds it' },
    { name: 'ca', value: 'FILE.pem', help: 'authorities for the certificate of the gateway' },
    { name: 'gateway-id', value: 'ID', help: 'the identity that it must show; sent as IDr' },
    { name: 'id', value: 'ID', help: 'our identity: an address, a name, name@domain (--ip, else the local address)' },
    { name: 'user', value: 'NAME', help: 'EAP user' },
    { name: 'password-file', value: 'FILE', help: 'the password of the EAP user' },
    { name: 'password-env', value: 'NAME', help: 'the environment variable that holds it' },
    { name: 'certificate', value: 'FILE.pem', help: 'our certificate, and intermediates to send along' },
    { name: 'key', value: 'FILE.pem', help: 'the private key of our certificate' },
    { name: 'proposal', value: 'WORD', many: true, help: `IKE proposal (${standard(DEFAULTS.proposals)})` },
    { name: 'dhgrp', value: 'N', many: true, help: `Diffie-Hellman group; the first is guessed (${standard(DEFAULTS.groups)})` },
    { name: 'esp', value: 'WORD', many: true, help: `ESP proposal (${standard(DEFAULTS.esp)})` },
    { name: 'uid', value: 'UID', help: 'FortiClient UID, 32 hexadecimal digits' },
    { name: 'ip', value: 'ADDR', help: "the device's own address, as it tells it (the local address)" },
    { name: 'host', value: 'NAME', help: "the device's name" },
    { name: 'ems-serial', value: 'SN', help: 'EMSSN, the serial number of its EMS' },
    { name: 'ems-tenant', value: 'HEX', help: 'EMSID, its tenant' },
    { name: 'tags-announced', help: 'FCTTAGS=1: a token will come, even where there is none' },
    {
      name: 'claims-in',
      value: 'WHICH',
      choices: ['first', 'last'],
      help: 'the IKE_AUTH request of FORTICLIENT_CONNECT (first)',
    },
    { name: 'no-fortinet', help: 'be no FortiClient: no vendor IDs, no private notifies, no private attributes' },
    { name: 'token-file', value: 'FILE', help: 'the zero-trust token, a JWT' },
    { name: 'token-command', value: 'PROGRAM', help: 'prints the token; its arguments stand behind --; no shell is involved' },
    { name: 'ems', value: 'DIR', help: 'state directory of a running `postern ems` that signs a token for --uid' },
    { name: 'token-number', value: 'N', help: `the number of ZTNA_TAG, 40960 to 65535 (${TOKEN_NUMBER})` },
    {
      name: 'token-when',
      value: 'WHEN',
      choices: ['first-auth', 'in-auth', 'after'],
      help: 'in the first IKE_AUTH request, in the last, or in an INFORMATIONAL after them (in-auth)',
    },
    { name: 'success-notify', value: 'N', help: 'the number of EMS_ZTNA_TAGS_CHECK_SUCCESS, to call it by its name' },
    { name: 'failure-notify', value: 'N', help: 'the number with which the gateway refuses for want of tags' },
    { name: 'stay', value: 'S', help: 'hang up S seconds after it is up (forever)' },
    {
      name: 'ping',
      value: 'ADDR[,N]',
      help: 'ping an address through the tunnel, N times (4), and hang up unless --stay is given; goes by NAT traversal',
    },
    { name: 'count', value: 'N', help: `so many clients at once, alike, without INITIAL_CONTACT (1; ${DEFAULTS.most} at most)` },
    { name: 'give-up', value: 'S', help: `seconds without an answer to a request (${DEFAULTS.giveUp})` },
    { name: 'json', help: 'one JSON object a line on stdout: time, client, event and what belongs to it' },
    { name: 'debug', help: 'show every message by the names of its payloads' },
    {
      name: 'impair',
      value: 'WHAT',
      many: true,
      help: 'damage messages on purpose: NAME[:OF][@EXCHANGE][#NTH]; `list` shows them',
    },
  ],
  async run(values, terminal) {
    if (values.all('impair').includes('list')) {
      say(terminal.stdout, ...Object.entries(impairments).map(([name, { help }]) => `${name.padEnd(18)}${help}`));
      return EXIT.ok;
    }
    const plan = await planOf(values, process.env);
    const keeper = typeof plan === 'string' ? plan : await keeperOf(plan);
    if (typeof plan === 'string' || typeof keeper === 'string') {
      say(terminal.stderr, `postern client: ${typeof plan === 'string' ? plan : keeper}`, 'See `postern help client`.');
      return EXIT.usage;
    }
    try {
      return await perform(plan, keeper, values, terminal);
    } finally {
      keeper?.stop();
    }
  },
};

/** The keeper of tokens with the first one; a text when the EMS does not give it. */
async function keeperOf({ source }: Plan): Promise<TokenKeeper | string | undefined> {
  try {
    return source && (await TokenKeeper.begin(source, realWorld));
  } catch (error) {
    if (error instanceof EmsRefused) return error.message;
    if (error instanceof EmsNotRunning)
      throw new EnvironmentRefused(
        'ENOENT',
        'No EMS emulator runs with the directory of --ems.',
        'Start one: `postern ems run`.',
      );
    const why = error instanceof Error ? error.message : 'unknown';
    throw new EnvironmentRefused('ENOENT', `There is no token: ${why}.`, '`postern ems token UID` prints one.');
  }
}

/** Runs the clients until all are done; gives the highest of their exit codes. */
async function perform(plan: Plan, keeper: TokenKeeper | undefined, values: Values, terminal: Terminal): Promise<number> {
  const runners: ClientRunner[] = [];
  let stopping: number | undefined;
  const stop = () => {
    const { now } = realWorld;
    // One press can come twice: from the terminal, and from whatever started us.
    if (stopping !== undefined && now() - stopping > SAME_PRESS) return terminal.process.exit(INTERRUPTED);
    stopping ??= now();
    for (const runner of runners) void runner.hangUp();
  };
  for (const signal of SIGNALS) terminal.process.on(signal, stop);
  try {
    for (let n = 1; n <= plan.count && stopping === undefined; n++) {
      const runner = await startOne(plan, keeper, voiceOf(n, plan, values, terminal));
      if (typeof runner === 'string') {
        say(terminal.stderr, `postern client: ${runner}`, 'See `postern help client`.');
        return EXIT.usage;
      }
      runners.push(runner);
      if (stopping !== undefined) void runner.hangUp(); // the signal came while it was being made
    }
    const ends = await Promise.all(runners.map(({ ended }) => ended));
    return Math.max(...ends.map(codeOfEnd));
  } finally {
    for (const signal of SIGNALS) terminal.process.off(signal, stop);
    await Promise.all(runners.map((runner) => runner.hangUp()));
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const SAME_PRESS = 500;
const INTERRUPTED = 130;

type Voice = { readonly on: (event: ClientEvent) => void; readonly onMessage?: (message: Spoken) => void };

/** A client that has begun; a text for options that make none. */
async function startOne(
  { dial, stay, ping }: Plan,
  keeper: TokenKeeper | undefined,
  voice: Voice,
): Promise<ClientRunner | string> {
  const { on, onMessage } = voice;
  const options: ReturnType<Plan['dial']> & Pick<LabOptions, 'onMessage'> = {
    ...dial(keeper?.current),
    ...(onMessage === undefined ? {} : { onMessage }),
  };
  try {
    return await ClientRunner.start({
      ...{ dial: options, on },
      ...(keeper === undefined ? {} : { tokens: keeper }),
      ...(stay === undefined ? {} : { stay }),
      ...(ping === undefined ? {} : { ping }),
    });
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    const code = codeOf(error);
    throw new EnvironmentRefused(code, `Cannot speak from ${options.from}: ${code}.`, 'Choose another with --from ADDR.');
  }
}

/** How the nth client tells of itself: in lines for people, or in JSON. */
function voiceOf(n: number, { count, names, stay, ping }: Plan, values: Values, { stdout }: Terminal): Voice {
  const [json, debug] = [values.one('json') !== undefined, values.one('debug') !== undefined];
  const ends =
    ping?.leaves === true ? 'hangs up after the pings' : stay === undefined ? 'Ctrl-C hangs up' : `hangs up in ${stay / 1000} s`;
  const narrator: Narrator = { names, ends, unix: realWorld.unix };
  const write = json
    ? (event: string, rest: object) => say(stdout, JSON.stringify({ time: new Date().toISOString(), client: n, event, ...rest }))
    : (_event: string, _rest: object, lines: readonly string[]) =>
        say(stdout, ...lines.map((line) => `postern client${count === 1 ? '' : ` ${n}`}: ${printable(line, 2000)}`));
  return {
    on: (event) => {
      const { kind, ...rest } = event;
      const meaning = event.kind === 'ended' ? { meaning: meaningOf(event, names), code: codeOfEnd(event) } : {};
      write(kind, { ...rest, ...meaning }, linesOf(event, narrator));
    },
    ...(debug ? { onMessage: (message) => write('message', { message: messageLine(message) }, [messageLine(message)]) } : {}),
  };
}

function codeOfEnd({ how, established, replies }: ClientEnd): number {
  switch (how) {
    case 'hung-up':
      return established && replies !== 0 ? EXIT.ok : EXIT.silent;
    case 'silent':
      return EXIT.silent;
    case 'refused':
    case 'ended':
    case 'distrusted':
      return EXIT.refused;
  }
}
