/**
 * What a path carries, as the kernel knows it: the MTU of the route, or less where a router has complained (RFC 1191, RFC 8201).
 * Our datagrams have DF set, so that routers do.
 */
import { readFile } from 'node:fs/promises';
import { type LocalAddress, listenPlan } from './addresses.ts';
import type { SystemCalls } from './native.ts';
import { AF_INET, AF_INET6, addressOctets, SOCKADDR, writeSockaddr } from './sockaddr.ts';

const [IPPROTO_IP, IP_MTU] = [0, 14];
const [IPPROTO_IPV6, IPV6_MTU] = [41, 24];
/** Beyond that there is only loopback, whose 65536 no packet of a tunnel needs. */
const LARGEST = 9216;
const ETHERNET = 1500;

/** Octets that an IP packet from one address to another may have; undefined: the kernel does not say. Some ten µs. */
export function pathMtu(calls: SystemCalls, local: string, remote: string): number | undefined {
  const [from, to] = [addressOctets(local), addressOctets(remote)];
  if (from === undefined || to === undefined || from.length !== to.length) return undefined;
  const six = to.length === 16;
  const fd = calls.socket(six ? AF_INET6 : AF_INET);
  if (fd < 0) return undefined;
  try {
    const name = new Uint8Array(SOCKADDR[six ? 6 : 4]);
    writeSockaddr(name, 0, from, 0);
    if (calls.bind(fd, name) < 0) return undefined;
    writeSockaddr(name, 0, to, 9); // a port must be named; nothing is sent
    if (calls.connect(fd, name) < 0) return undefined;
    const mtu = six ? calls.getOption(fd, IPPROTO_IPV6, IPV6_MTU) : calls.getOption(fd, IPPROTO_IP, IP_MTU);
    return mtu > 0 ? Math.min(mtu, LARGEST) : undefined;
  } finally {
    calls.close(fd);
  }
}

/** The largest MTU of the interfaces with these addresses, of all for an empty list, loopback aside; else Ethernet's. */
export async function largestMtu(
  listen: readonly string[],
  local?: readonly LocalAddress[],
  read: (file: string) => Promise<string> = (file) => readFile(file, 'utf8'),
): Promise<number> {
  const names = new Set(listenPlan(listen, local).addresses.map(({ name }) => name));
  const mtus = await Promise.all([...names].map((name) => read(`/sys/class/net/${name}/mtu`).then(Number, () => Number.NaN)));
  const real = mtus.filter((mtu) => mtu > 0 && mtu < 65_536);
  return real.length === 0 ? ETHERNET : Math.min(Math.max(...real), LARGEST);
}
