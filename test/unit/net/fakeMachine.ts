/** `ip` and `nft` of no kernel: routes by their prefix, our table by its text, failures when they are asked for. */
import type { Ran, Run } from '../../../src/net/programs.ts';

const ok: Ran = { code: 0, stdout: '', stderr: '' };
export const missing = (program: string): Error => Object.assign(new Error(`spawn ${program} ENOENT`), { code: 'ENOENT' });

export class FakeMachine {
  /** Prefix and device. */
  readonly routes = new Map<string, string>();
  /** What `nft -f` was told last and took. */
  nft = '';
  tables: string[] = [];
  readonly asked: { readonly program: string; readonly args: readonly string[]; readonly text: string }[] = [];
  /** What is to go wrong: an answer in the place of ours, or an error at the start. */
  wrong: (program: string, text: string, args: readonly string[]) => Ran | Error | undefined = () => undefined;
  /** How many run at once. */
  busy = 0;
  busiest = 0;

  readonly run: Run = async (program, args, text) => {
    this.asked.push({ program, args, text });
    this.busy += 1;
    this.busiest = Math.max(this.busy, this.busiest);
    await new Promise((resolve) => setImmediate(resolve));
    this.busy -= 1;
    const wrong = this.wrong(program, text, args);
    if (wrong instanceof Error) throw wrong;
    if (wrong !== undefined) return wrong;
    if (program === 'nft') return this.#nft(args, text);
    if (args.includes('show')) return { ...ok, stdout: this.#shown(args.at(-3) ?? '') };
    return args.includes('-batch') ? this.#batch(text, args.includes('-force')) : ok;
  };

  /** All lines that `ip` was told, and what `nft` was, one word each: what was done in which order. */
  get order(): readonly string[] {
    return this.asked.flatMap(({ program, text }) =>
      program === 'nft'
        ? ['nft']
        : text
            .trim()
            .split('\n')
            .flatMap((line) => (line === '' ? [] : [line.split(' ').slice(1, 3).join(' ')])),
    );
  }

  #nft(args: readonly string[], text: string): Ran {
    if (args[0] === '-f') this.nft = text;
    if (args[0] === 'delete') this.tables = this.tables.filter((name) => name !== args[3]);
    return args[0] === 'list' ? { ...ok, stdout: this.tables.map((name) => `table inet ${name}\n`).join('') } : ok;
  }

  /** Devices of ours have our mark on their routes. */
  #shown(prefix: string): string {
    const device = this.routes.get(prefix);
    return device?.startsWith('postern') ? `${prefix} dev ${device}\n` : '';
  }

  #batch(text: string, force: boolean): Ran {
    let stderr = '';
    for (const [i, line] of text.trim().split('\n').entries()) {
      const said = this.#line(line);
      if (said === undefined) continue;
      stderr += `${said}\nCommand failed -:${i + 1}\n`;
      if (!force) break;
    }
    return { code: stderr === '' ? 0 : 1, stdout: '', stderr };
  }

  #line(line: string): string | undefined {
    const [, verb, prefix = '', , device = ''] = line.split(' ');
    if (verb === 'add' && this.routes.has(prefix)) return 'RTNETLINK answers: File exists';
    if (verb === 'del' && this.routes.get(prefix) !== device) return 'RTNETLINK answers: No such process';
    if (verb === 'add') this.routes.set(prefix, device);
    else this.routes.delete(prefix);
    return undefined;
  }
}
