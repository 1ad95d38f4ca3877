/** `postern doctor`: what the machine has for the gateway, what it lacks, and how to mend it. */
import { examine, type Finding } from '../daemon.ts';
import { readConfigFile } from './configFile.ts';
import { EXIT, say } from './exit.ts';
import { LISTEN, portsOf } from './options.ts';
import type { Verb } from './verb.ts';

export const doctor: Verb = {
  name: 'doctor',
  summary: 'look at the machine: what is there for the gateway, what is not, and how to mend it',
  text: [
    'Looks at everything that the gateway needs: Node and its cryptography, the ports, the TUN device, the kernel, nftables.',
    'A device is made and removed again, ports are bound and let go; nobody is served and nothing stays. A gateway that',
    'runs already has its ports: then they are told as taken. Exit code 0 when the gateway can start, 3 when it cannot;',
    'warnings are about what it does without. With a configuration its findings come first: exit code 2 when it has errors.',
  ],
  options: [
    { name: 'config', value: 'FILE', help: 'a configuration: its ports are looked at, and what it asks of the machine' },
    ...LISTEN,
    { name: 'state', value: 'DIR', help: 'the private directory that the gateway is to have' },
    { name: 'json', help: 'one JSON object a line' },
  ],
  async run(values, { stdout, stderr }) {
    const refuse = (why: string) => {
      say(stderr, `postern doctor: ${why}`, 'See `postern help doctor`.');
      return EXIT.usage;
    };
    const ports = portsOf(values);
    if ('why' in ports) return refuse(ports.why);
    const path = values.one('config');
    const file = path === undefined ? undefined : await readConfigFile(path);
    if (file?.kind === 'unreadable') return refuse(file.why);
    if (file !== undefined && file.text !== '') say(stderr, file.text);
    if (file?.kind === 'wrong') return EXIT.usage;
    const config = file?.config;
    const found = await examine({
      config,
      listen: values.all('listen'),
      ikePort: ports.ike ?? config?.system.ikePort ?? 500,
      nattPort: ports.natt ?? config?.system.nattPort ?? 4500,
      state: values.one('state'),
    });
    if (values.one('json') !== undefined) say(stdout, ...found.map((one) => JSON.stringify(one)));
    else say(stdout, ...found.flatMap(lines), '', verdict(found));
    return found.some((one) => one.state === 'wrong') ? EXIT.environment : EXIT.ok;
  },
};

const MARK = { fine: 'fine   ', warning: 'warning', wrong: 'WRONG  ' } as const;

function lines({ about, state, says, fix }: Finding): readonly string[] {
  return [`${MARK[state]}  ${about}: ${says}`, ...(fix === undefined ? [] : [`           → ${fix}`])];
}

function verdict(found: readonly Finding[]): string {
  const count = (state: Finding['state']) => found.filter((one) => one.state === state).length;
  if (count('wrong') > 0) return `The gateway cannot start here: see what is WRONG (${count('wrong')}).`;
  const warnings = count('warning');
  return warnings === 0 ? 'The gateway can start here.' : `The gateway can start here; ${warnings} of these it does without.`;
}
