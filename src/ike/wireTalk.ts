/** Debug lines of datagrams as they come and go (FortiOS' `comes`, `in`, `out`, `sent IKE msg`). */
import * as phrases from '../log/phrases/index.ts';
import { Exchange, exchangeName, type Header, hex } from '../wire/index.ts';
import { nameOf, type Path } from './sa.ts';
import type { Slot } from './slot.ts';
import type { World } from './world.ts';

const FORTI_NAMES: Readonly<Record<number, string>> = {
  34: 'SA_INIT',
  35: 'AUTH',
  36: 'CREATE_CHILD',
  37: 'INFORMATIONAL',
  38: 'SESSION_RESUME',
};

/** FortiOS' word for an exchange type. */
export const fortiExchange = (type: number): string => FORTI_NAMES[type] ?? exchangeName(type);
export const id8 = (messageId: number): string => messageId.toString(16).padStart(8, '0');

export function sayDaemon<A extends readonly unknown[]>(world: World, phrase: (...args: A) => phrases.Phrase, ...args: A): void {
  if (world.debug) world.out.push({ do: 'say', scope: { kind: 'daemon' }, line: phrase(...args) });
}

/** A datagram came; `octets` is the IKE message without marker. */
export function sayComes(world: World, header: Header, octets: Uint8Array, length: number, { local, remote }: Path): void {
  if (!world.debug) return;
  const name = `${fortiExchange(header.exchange)}${header.response ? '_RESPONSE' : ''}`;
  const id = header.exchange === Exchange.IKE_SA_INIT ? '' : `:${id8(header.messageId)}`;
  sayDaemon(world, phrases.udpComes, `${remote.address}:${remote.port}`, `${local.address}:${local.port}`, length);
  sayDaemon(world, phrases.exchangeComes, name, header.SPIi, header.SPIr, id, header.length);
  const scope = { kind: 'gateway', name: '', raw: true } as const;
  world.out.push({ do: 'say', scope, line: phrases.packetIn(hex(octets).toUpperCase()) });
}

/** Datagrams of one message went out. FortiOS also prints `dec` and `enc`, the plaintext; ours never does. */
export function saySent(
  world: World,
  slot: Slot,
  tag: string,
  datagrams: readonly Uint8Array[],
  { local, remote }: Path,
  messageId: number | undefined,
): void {
  if (!world.debug) return;
  const { SPIi, SPIr } = slot.sa.basis;
  const id = messageId === undefined ? `${SPIi}/${SPIr}` : `${SPIi}/${SPIr}:${id8(messageId)}`;
  const path = { from: `${local.address}:${local.port}`, to: `${remote.address}:${remote.port}` };
  const scope = { kind: 'gateway', name: nameOf(slot.sa), id: slot.sa.basis.id } as const;
  for (const octets of datagrams) {
    world.out.push({ do: 'say', scope: { ...scope, raw: true }, line: phrases.packetOut(hex(octets).toUpperCase()) });
    world.out.push({ do: 'say', scope, line: phrases.sentMessage(tag, path, octets.length, id) });
  }
}
