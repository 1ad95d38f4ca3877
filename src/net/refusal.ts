/** What the operating system refused, in words for people: what happened, and what to do about it. */

/**
 * The environment does not allow it: a port taken, a missing right, an address that is not ours, a file that cannot be
 * written. `message` says what, `fix` what to do; the command line ends with exit code 3.
 */
export class EnvironmentRefused extends Error {
  readonly code: string;
  readonly fix: string;

  constructor(code: string, message: string, fix: string) {
    super(message);
    this.name = 'EnvironmentRefused';
    this.code = code;
    this.fix = fix;
  }
}

/** The error code of a system call's failure ('EADDRINUSE'), or its message when it has none. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code: unknown = 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : error.message;
}

/** One bind: `natt` tells which flag chooses the port, `local` lists the machine's addresses. */
export type BindAttempt = { readonly address: string; readonly port: number; readonly natt: boolean; readonly local: string };

/** A bind that the kernel refused, in people's words: what happened, and the command or flag that helps. */
export function bindRefused(error: unknown, o: BindAttempt): EnvironmentRefused {
  const { address, port, natt } = o;
  const code = codeOf(error);
  const place = `${address.includes(':') ? `[${address}]` : address}:${port}`;
  const flag = natt ? '--natt-port' : '--ike-port';
  const what = natt ? 'NAT-T' : 'IKE';
  switch (code) {
    case 'EADDRINUSE':
      return new EnvironmentRefused(
        code,
        `UDP port ${port} (${what}) is taken on ${place}.`,
        `See who has it with \`ss -ulpn 'sport = :${port}'\` (often another IKE daemon such as charon); stop that, ` +
          `or choose another port with ${flag} N.`,
      );
    case 'EACCES':
    case 'EPERM':
      return new EnvironmentRefused(
        code,
        `No right to bind UDP port ${port} (${what}) on ${place}.`,
        'Ports below 1024 need root or CAP_NET_BIND_SERVICE (`setcap cap_net_bind_service=+ep $(command -v node)`, or ' +
          'AmbientCapabilities= in a systemd unit); or choose high ports with --ike-port 5500 --natt-port 5501.',
      );
    case 'EADDRNOTAVAIL':
      return new EnvironmentRefused(
        code,
        `${address} is not an address of this machine.`,
        `This machine has: ${o.local}. Choose with --listen ADDR.`,
      );
    case 'EAFNOSUPPORT':
      return new EnvironmentRefused(
        code,
        `This machine's kernel has no IPv6: cannot bind ${place}.`,
        'Name IPv4 addresses with --listen ADDR.',
      );
    default:
      return new EnvironmentRefused(
        code,
        `Cannot bind ${place} (${what}): ${code}.`,
        'See `ip addr` and `ss -uln`, or choose with --listen ADDR.',
      );
  }
}
