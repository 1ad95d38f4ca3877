/** What the commands print, next to the expected text. Change a text on purpose only: scripts read these layouts. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { controlCommands } from '../../../src/control/index.ts';
import { gatewayList } from '../../../src/control/renderGateway.ts';
import { utcText } from '../../../src/control/renderTime.ts';
import { tunnelList } from '../../../src/control/renderTunnel.ts';
import { traffic, view, whole } from '../../unit/control/view.ts';

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

async function printed(line: string): Promise<string> {
  const heard: string[] = [];
  const io = {
    signal: new AbortController().signal,
    out: (text: string) => Promise.resolve(void heard.push(text)),
    ask: () => Promise.resolve(false),
  };
  await controlCommands(view({}))(line.split(' '), io);
  return heard.join('');
}

describe('the layout of', () => {
  it.each([
    ['diagnose endpoint ec-shm list', 'endpoints.txt'],
    ['diagnose firewall dynamic list', 'dynamic.txt'],
    ['diagnose test application fcnacd 2', 'fcnacd2.txt'],
    ['diagnose test application fcnacd 7', 'fcnacd7.txt'],
    ['diagnose vpn ike gateway list', 'gateways.txt'],
    ['diagnose vpn tunnel list', 'tunnels.txt'],
    ['get vpn ipsec tunnel summary', 'summary.txt'],
    ['diagnose postern traffic', 'traffic.txt'],
  ])('%s', async (line, name) => {
    expect(await printed(line)).toBe(read(name));
  });

  it('a tunnel of which everything is known', () => expect(tunnelList([whole], traffic).join('')).toBe(read('tunnel.txt')));
  it('a tunnel without add-route', () => {
    const plain = { ...whole, children: whole.children.map((child) => ({ ...child, addRoute: false })) };
    expect(tunnelList([plain], undefined).join('')).toBe(read('tunnelOff.txt').replace(' add-route\n', '\n'));
  });
  it('a tunnel while traffic is off', () => expect(tunnelList([whole], undefined).join('')).toBe(read('tunnelOff.txt')));
  it('a gateway of which everything is known', () => expect(gatewayList([whole]).join('')).toBe(read('gateway.txt')));
});

describe('a date', () => {
  it('is the one that a calendar has', () => {
    for (const day of [0, 1, 58, 59, 60, 365, 789, 11_015, 11_016, 19_782, 20_783, 47_540, 47_541, 109_500, 2_932_896]) {
      const unix = day * 86_400 + 3661;
      expect(utcText(unix)).toBe(new Date(unix * 1000).toISOString().replace('T', ' ').slice(0, 19));
    }
  });
});
