/** The commands of the control socket: FortiOS' words, and what is done for each. */
import { nearest } from '../config/index.ts';
import { printable } from '../wire/index.ts';
import {
  deviceCache,
  dynamicAddress,
  dynamicAddresses,
  dynamicHeader,
  emsContext,
  endpointRecord,
  endpointTotals,
} from './renderEms.ts';
import { gatewayList } from './renderGateway.ts';
import { trafficTotals, tunnelList, tunnelListHeader, tunnelNamesHeader, tunnelSummary } from './renderTunnel.ts';
import type { Commands, Io } from './server.ts';
import type { ControlView, EmsView, TrafficOff } from './view.ts';
import { type Command, EXIT, listing, runWords, type Words } from './words.ts';

const NOTHING = { text: '', least: 0, most: 0 } as const;

const gateways: Command<ControlView> = {
  help: 'IKE SAs: who is connected, and how far a negotiation has come',
  args: { text: '[name X]', least: 0, most: 2 },
  async run(view, io, [word, name]) {
    const all = await named(view, io, word, name);
    if (all === undefined) return EXIT.usage;
    const paragraphs = gatewayList(all.gateways);
    for (const [i, paragraph] of paragraphs.entries()) await io.out(i === 0 ? paragraph : `\n${paragraph}`);
    return EXIT.ok;
  },
};

type Tunnels = Awaited<ReturnType<ControlView['tunnels']>>;

/** The gateways that `[name X]` means; undefined when it is something else, which has been said. */
async function named(view: ControlView, io: Io, word?: string, name?: string): Promise<Tunnels | undefined> {
  const all = await view.tunnels();
  if (word === undefined) return all;
  if (word === 'name' && name !== undefined) return { ...all, gateways: all.gateways.filter((sa) => sa.name === name) };
  await io.out(`'${printable(word, 64)}' is not understood: it is 'name' and the name of a gateway\n`);
  return undefined;
}

const tunnels: Command<ControlView> = {
  help: 'tunnels: their SAs, what each has carried, and what was dropped',
  args: { text: '[name X]', least: 0, most: 2 },
  async run(view, io, [word, name]) {
    const all = await named(view, io, word, name);
    if (all === undefined) return EXIT.usage;
    await io.out(name === undefined ? tunnelListHeader : tunnelNamesHeader);
    for (const paragraph of tunnelList(all.gateways, all.traffic)) await io.out(paragraph);
    return EXIT.ok;
  },
};

const summary: Command<ControlView> = {
  help: 'tunnels, one a line: packets and errors of each direction',
  args: NOTHING,
  async run(view, io) {
    const { gateways: all, traffic } = await view.tunnels();
    for (const line of tunnelSummary(all, traffic)) await io.out(line);
    return EXIT.ok;
  },
};

const totals: Command<ControlView> = {
  help: 'ours: what was carried since the start, and what was dropped and why',
  args: NOTHING,
  async run(view, io) {
    const { traffic } = await view.tunnels();
    await io.out(traffic === undefined ? notCarried(view.trafficOff()) : trafficTotals(traffic));
    return traffic === undefined ? EXIT.no : EXIT.ok;
  },
};

/** As the journal says at the start. Without a reason it is on, and nobody has said what is carried: workers can be busy. */
function notCarried(off: TrafficOff | undefined): string {
  if (off === undefined) return 'Traffic is on, but what is carried is not known at the moment: try again.\n';
  return `Traffic is off: no packet is carried.\nWhy: ${printable(off.why, 1024)}\nFix: ${printable(off.fix, 1024)}\n`;
}

const endpoints: Command<ControlView> = {
  help: 'devices that EMS has told of; restricted to an address, a MAC address, an EMS serial number, a tenant',
  args: { text: '[IP] [MAC] [EMS_SN] [EMS_TENANT]', least: 0, most: 4 },
  async run(view, io, filters) {
    const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
    const all = devices(view).filter(({ ems, record: { addresses, macs, tenant } }) => {
      const names = [...addresses, ...macs, ems.identity?.serial ?? '', tenant];
      return filters.every((filter) => names.some((name) => same(name, filter)));
    });
    for (const [i, { ems, record }] of all.entries()) await io.out(endpointRecord(i, ems, record));
    await io.out(endpointTotals(all));
    return EXIT.ok;
  },
};

const dynamic: Command<ControlView> = {
  help: 'posture tags and the addresses of the devices that hold them; one tag, or all',
  args: { text: '[TAG]', least: 0, most: 1 },
  async run(view, io, [wanted]) {
    const all = dynamicAddresses(view.ems());
    const chosen = [...all.entries()].filter(([, { cmdb }]) => wanted === undefined || cmdb === wanted);
    if (wanted !== undefined && chosen.length === 0) {
      const meant = nearest(
        wanted,
        all.map(({ cmdb }) => cmdb),
      );
      const hint = meant === undefined ? '' : `; did you mean '${printable(meant, 128)}'?`;
      await io.out(`No device holds the tag '${printable(wanted, 128)}'${hint}\n`);
      return EXIT.no;
    }
    if (wanted === undefined) await io.out(dynamicHeader);
    for (const [i, [id, address]] of chosen.entries()) await io.out(`${i === 0 ? '' : '\n'}${dynamicAddress(id + 1, address)}`);
    return EXIT.ok;
  },
};

const fcnacd: Words<ControlView> = {
  2: {
    help: 'each EMS: who it is, how far the connection has come, and why it is not up',
    args: NOTHING,
    async run(view, io) {
      await io.out('EMS context status:\n');
      for (const ems of view.ems()) await io.out(`\n${emsContext(ems, view.now())}`);
      return EXIT.ok;
    },
  },
  7: {
    help: 'the tags of each device, as the gate sees them',
    args: NOTHING,
    async run(view, io) {
      for (const [i, { ems, record }] of devices(view).entries())
        await io.out(`${i === 0 ? '' : '\n'}${deviceCache(i + 1, ems, record)}`);
      return EXIT.ok;
    },
  },
};

const devices = (view: ControlView) => view.ems().flatMap((ems) => ems.records.map((record) => ({ ems, record })));

/** A command about one EMS, which may be named as configured or by its number. */
function ofEms(help: string, run: (admin: NonNullable<ReturnType<ControlView['admin']>>, io: Io) => Promise<number>) {
  return {
    help,
    args: { text: 'NAME', least: 1, most: 1 },
    async run(view, io, [name = '']) {
      const ems = find(view.ems(), name);
      const admin = ems === undefined ? undefined : view.admin(ems.key);
      if (admin !== undefined) return await run(admin, io);
      const names = view.ems().map((one) => one.name);
      const meant = nearest(name, names);
      const hint = meant === undefined ? '' : `; did you mean '${meant}'?`;
      const known = names.length === 0 ? 'No EMS is configured.' : `Configured are: ${names.join(', ')}.`;
      await io.out(`There is no EMS '${printable(name, 64)}'${hint}\n${printable(known, 512)}\n`);
      return EXIT.usage;
    },
  } satisfies Command<ControlView>;
}

const find = (all: readonly EmsView[], name: string): EmsView | undefined =>
  all.find((ems) => ems.name === name) ?? all.find((ems) => ems.key === name || String(ems.number) === name);

const ike = { help: 'IKE', words: { gateway: { help: 'gateways', words: { list: gateways } } } };

const reload: Command<ControlView> = {
  help: 'read the configuration again, as SIGHUP does',
  args: NOTHING,
  async run(view, io) {
    const { ok, text } = await view.reload();
    for (const line of text.split('\n')) await io.out(`${printable(line, 4096)}\n`);
    return ok ? EXIT.ok : EXIT.no;
  },
};

const WORDS: Words<ControlView> = {
  execute: {
    help: 'do something once',
    words: {
      reload,
      fctems: {
        help: 'FortiClient EMS',
        words: {
          verify: ofEms('look at the certificate of an EMS and accept it', (admin, io) => admin.verify(io)),
          unverify: ofEms('no longer accept the certificate of an EMS', (admin, io) => admin.unverify(io)),
          'is-verified': ofEms('is the certificate of an EMS trusted?', (admin, io) => admin.isVerified(io)),
        },
      },
    },
  },
  diagnose: {
    help: 'look inside',
    words: {
      vpn: { help: 'VPN', words: { ike, tunnel: { help: 'tunnels', words: { list: tunnels } } } },
      postern: { help: 'ours', words: { traffic: totals } },
      endpoint: { help: 'endpoints', words: { 'ec-shm': { help: 'records', words: { list: endpoints } } } },
      firewall: { help: 'addresses', words: { dynamic: { help: 'dynamic addresses', words: { list: dynamic } } } },
      test: { help: 'daemons', words: { application: { help: 'a daemon', words: { fcnacd: { help: 'EMS', words: fcnacd } } } } },
    },
  },
  get: {
    help: 'look at what is there',
    words: {
      vpn: { help: 'VPN', words: { ike, ipsec: { help: 'IPsec', words: { tunnel: { help: 'tunnels', words: { summary } } } } } },
    },
  },
};

/** All commands on this view, for `serveControl`. */
export const controlCommands =
  (view: ControlView): Commands =>
  (words, io) =>
    runWords(WORDS, words, view, io);

/** For help: every command that begins with this word, one a line. */
export function commandList(word: string): readonly string[] {
  const first = WORDS[word];
  return first === undefined || !('words' in first) ? [] : listing(first.words, [word]);
}
