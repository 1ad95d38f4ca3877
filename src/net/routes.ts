/**
 * Routes to the device, told to `ip -batch`. A route is added, never put in the place of another: one that is there already is
 * somebody else's. Taken back are those of this device and with our mark, and no other.
 */
import { ask, type Run, refusedBy, tell } from './programs.ts';
import { EnvironmentRefused } from './refusal.ts';

/** The mark of our routes (`ip route show proto 80`), of the numbers that rtnetlink.h gives to nobody. */
const PROTO = '80';

/** A prefix that could not be routed, or not be taken back. */
export type RouteRefused = { readonly prefix: string; readonly why: string; readonly fix: string };

/** Lines for `ip -batch`, or `ip -6 -batch`. Pure. */
export const routeLines = (what: 'add' | 'del', device: string, prefixes: readonly string[]): string =>
  prefixes.map((prefix) => `route ${what} ${prefix} dev ${device} proto ${PROTO}\n`).join('');

/** How often, and how far apart (ms), a prefix is tried that another device of ours still has. */
const TRIES = 20;
const PAUSE = 50;

/** Routes all of them, or throws EnvironmentRefused; what it has done until then is the caller's to take back. */
export async function addRoutes(run: Run, device: string, prefixes: readonly string[]): Promise<void> {
  for (const { args, own } of byFamily(prefixes)) {
    let left = own;
    for (let tries = 1; left.length > 0; tries++) {
      const ran = await ask(run, 'ip', [...args, '-batch', '-'], routeLines('add', device, left));
      if (ran.code === 0) break;
      const [failed] = failuresOf(ran.stderr, left);
      if (failed === undefined || !taken(failed.said)) throw refusedBy('ip', ran);
      const { prefix } = failed;
      // A worker of ours that has just come to its end has its routes for as long as its device is there.
      const shown = await ask(run, 'ip', [...args, 'route', 'show', prefix, 'proto', PROTO], '');
      if (tries === TRIES || shown.stdout.trim() === '') {
        const { why, fix } = inTheWay(prefix);
        throw new EnvironmentRefused('EEXIST', why, fix);
      }
      left = left.slice(left.indexOf(prefix));
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/** Routes as many of them as it can; gives the others. Throws EnvironmentRefused when nothing is known of what was done. */
export async function tryRoutes(run: Run, device: string, prefixes: readonly string[]): Promise<readonly RouteRefused[]> {
  const refused: RouteRefused[] = [];
  for (const { args, own } of byFamily(prefixes)) {
    const ran = await ask(run, 'ip', [...args, '-force', '-batch', '-'], routeLines('add', device, own));
    if (ran.code === 0) continue;
    const failures = failuresOf(ran.stderr, own);
    if (ran.code === undefined || failures.length === 0) throw refusedBy('ip', ran);
    for (const { prefix, said } of failures) {
      const { message, fix } = refusedBy('ip', { ...ran, stderr: said });
      refused.push({ prefix, ...(taken(said) ? inTheWay(prefix) : { why: `${prefix}: ${message}`, fix }) });
    }
  }
  return refused;
}

/** Takes all of them back; one that is gone already, with its device or by somebody's hand, is what was wanted. */
export async function deleteRoutes(run: Run, device: string, prefixes: readonly string[]): Promise<void> {
  for (const { args, own } of byFamily(prefixes)) {
    const ran = await ask(run, 'ip', [...args, '-force', '-batch', '-'], routeLines('del', device, own));
    if (ran.code === 0) continue;
    const failures = failuresOf(ran.stderr, own);
    const left = failures.find(({ said }) => !/No such process|Cannot find device/.test(said));
    if (failures.length === 0 || left !== undefined) throw refusedBy('ip', { ...ran, stderr: left?.said ?? ran.stderr });
  }
}

export async function bringUp(run: Run, device: string, mtu: number): Promise<void> {
  await tell(run, 'ip', ['link', 'set', 'dev', device, 'mtu', `${mtu}`, 'up'], '');
}

const isSix = (prefix: string): boolean => prefix.includes(':');
const taken = (said: string): boolean => said.includes('File exists');

function inTheWay(prefix: string): { readonly why: string; readonly fix: string } {
  const six = isSix(prefix) ? ' -6' : '';
  return {
    why: `${prefix} is routed already, by somebody else.`,
    fix: `See \`ip${six} route show ${prefix}\`: take that route away, or give the clients other addresses.`,
  };
}

/** A machine may be without IPv6: it is not spoken of where there is nothing to say. */
const byFamily = (prefixes: readonly string[]) =>
  [
    { args: [], own: prefixes.filter((prefix) => !isSix(prefix)) },
    { args: ['-6'], own: prefixes.filter(isSix) },
  ].filter(({ own }) => own.length > 0);

/** `ip` says what was wrong, then `Command failed -:LINE`. */
function failuresOf(stderr: string, prefixes: readonly string[]): readonly { readonly prefix: string; readonly said: string }[] {
  const failures: { prefix: string; said: string }[] = [];
  let said = '';
  for (const line of stderr.split('\n')) {
    const number = /^Command failed .*:(\d+)$/.exec(line)?.[1];
    if (number === undefined) {
      said = line;
      continue;
    }
    const prefix = prefixes[Number(number) - 1];
    if (prefix !== undefined) failures.push({ prefix, said });
    said = '';
  }
  return failures;
}
