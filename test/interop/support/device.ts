/**
 * A TUN device of a namespace, and UDP through it both ways: datagrams that are written to it, one by one, for a socket; and
 * those that a socket sends in runs. Prints what arrived, and in how many calls, as JSON. Arguments: the device's address,
 * another in its network.
 */
import { createSocket } from 'node:dgram';
import { setTimeout as wait } from 'node:timers/promises';
import { kernelSockets } from '../../../src/net/kernelSockets.ts';
import { systemCalls } from '../../../src/net/native.ts';
import { makeTun } from '../../../src/net/tun.ts';
import { octets, udp, upperSum } from '../../unit/net/packets.ts';
import { must, until } from './processes.ts';

const [own = '', other = ''] = process.argv.slice(2);
const COUNT = 40;
const SIZE = 1000;
const six = own.includes(':');
const transport = six ? 40 : 20;

const calls = await systemCalls();
if (typeof calls === 'string') throw new Error(calls);
let [writes, reads, runs] = [0, 0, false];
const counted: typeof calls = {
  ...calls,
  setOffload(fd, offloads) {
    const result = calls.setOffload(fd, offloads);
    runs ||= result >= 0 && offloads > 7;
    return result;
  },
  write(...given) {
    writes += 1;
    return calls.write(...given);
  },
  read(...given) {
    const length = calls.read(...given);
    if (length > SIZE) reads += 1;
    return length;
  },
};

const came: Uint8Array[] = [];
const tun = makeTun(counted, {
  ...{ name: 'runs%d', mtu: 1400, headroom: 24, tailroom: 64 },
  onPacket: (b, at, length) => {
    if (length > SIZE) came.push(b.slice(at, at + length)); // the kernel speaks to a new device's network, too
  },
});
await must('ip', ['link', 'set', tun.name, 'up']);
await must('ip', ['address', 'add', `${own}/${six ? 64 : 24}`, 'dev', tun.name, ...(six ? ['nodad'] : [])]);

const heard: Uint8Array[] = [];
const socket = createSocket(six ? 'udp6' : 'udp4', (datagram) => heard.push(datagram));
await new Promise<void>((resolve) => {
  socket.bind(443, own, resolve); // the port that packets.ts sends to
});
for (let id = 0; id < COUNT; id++) {
  const packet = udp({ six, id, payload: octets(SIZE, id), between: [other, own] });
  tun.send(packet, 0, packet.length);
}
await until('the socket heard them', () => heard.length === COUNT || undefined);

const open = kernelSockets(calls);
const ear = { arrived: () => undefined, sent: () => undefined, queueFull: () => undefined, failed: () => undefined };
const sender = await open({ name: tun.name, address: own, family: six ? 6 : 4 }, 0, ear);
const to = { address: other, port: 9 };
for (let i = 0; i < COUNT; i++) sender.forward(to, octets(SIZE, i), 0, SIZE);
await until('the device gave them', () => came.length === COUNT || undefined);
await wait(50); // no one more
const whole = (all: readonly Uint8Array[], from: number) =>
  all.every((b, i) => Buffer.from(b.subarray(from)).equals(Buffer.from(octets(SIZE, i))));
const right = came.every((b) => upperSum(b, transport) === 0xffff);
const report = { runs, in: heard.length, inWhole: whole(heard, 0), writes, out: came.length };
console.log(JSON.stringify({ ...report, outWhole: whole(came, transport + 8) && right, reads }));
await sender.close();
socket.close();
await tun.close();
