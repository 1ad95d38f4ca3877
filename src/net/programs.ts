/** Programs of the system: started by their names with a list of arguments, told on their standard input; no shell in between. */
import { type ChildProcess, spawn } from 'node:child_process';
import { codeOf, EnvironmentRefused } from './refusal.ts';

/** How a program ended; `code` is undefined when it had to be ended. */
export type Ran = { readonly code: number | undefined; readonly stdout: string; readonly stderr: string };

/** Runs a program to its end. Rejects with an error that has a code ('ENOENT') when it cannot be started. */
export type Run = (program: string, args: readonly string[], text: string) => Promise<Ran>;

/** Characters of either output that are kept. */
const MOST_SAID = 1024 * 1024;
/** ms that a program may take. */
const PATIENCE = 30_000;

export const runProgram: Run = (program, args, text) =>
  new Promise((resolve, reject) => {
    // What is said is read by us: it must be English.
    const child: ChildProcess = spawn(program, args, { env: { ...process.env, LC_ALL: 'C' }, timeout: PATIENCE });
    child.once('error', reject); // before all else: without descriptors it has no pipes either
    const said = { stdout: '', stderr: '' };
    for (const way of ['stdout', 'stderr'] as const)
      child[way]?.setEncoding('utf8').on('data', (piece: string) => {
        if (said[way].length < MOST_SAID) said[way] += piece;
      });
    child.stdin?.on('error', () => undefined); // it may have ended already, and said why
    child.stdin?.end(text);
    child.once('close', (code) => resolve({ code: code ?? undefined, ...said }));
  });

/** Runs a program that must come through. Throws EnvironmentRefused with what it said. */
export async function tell(run: Run, program: Program, args: readonly string[], text: string): Promise<void> {
  const ran = await ask(run, program, args, text);
  if (ran.code !== 0) throw refusedBy(program, ran);
}

export type Program = 'ip' | 'nft';
const PACKETS = { ip: 'iproute2', nft: 'nftables' } as const;

/** Runs a program that may say no. Throws EnvironmentRefused when it cannot be started. */
export async function ask(run: Run, program: Program, args: readonly string[], text: string): Promise<Ran> {
  return await run(program, args, text).catch((error: unknown) => {
    const code = codeOf(error);
    const why = code === 'ENOENT' ? `${program} is not installed` : `${program}: ${code}`;
    throw new EnvironmentRefused(code, `${why}.`, `Install ${PACKETS[program]} (\`apt-get install ${PACKETS[program]}\`).`);
  });
}

/** A no in the program's own words. */
export function refusedBy(program: Program, { code, stderr }: Ran): EnvironmentRefused {
  const first = stderr.trim().split('\n', 1).join('');
  const silent = code === undefined ? `no end of it in ${PATIENCE / 1000} s` : `exit code ${code}`;
  return new EnvironmentRefused(
    'ESYSTEM',
    `${program} refuses: ${first || silent}.`,
    'It needs root or CAP_NET_ADMIN; see `ip link`, `ip route`, `nft list ruleset`.',
  );
}

/** Can a program be started by its name? */
export async function hasProgram(name: string, run: Run = runProgram): Promise<boolean> {
  return await run(name, ['--version'], '').then(
    () => true,
    (error: unknown) => codeOf(error) !== 'ENOENT',
  );
}
