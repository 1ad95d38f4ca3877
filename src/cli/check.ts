/** `postern check`: everything there is to say about a configuration file, at once. */
import { readConfigFile } from './configFile.ts';
import { EXIT, say } from './exit.ts';
import type { Verb } from './verb.ts';

export const check: Verb = {
  name: 'check',
  summary: 'read a configuration and say everything that is wrong with it',
  text: [
    'Reads a configuration in FortiOS syntax and prints all findings: errors, with line, column and a suggestion,',
    'and warnings about settings that do nothing here. Exit code 0 when it can be run, 2 when not. Starts nothing.',
  ],
  options: [{ name: 'config', value: 'FILE', required: true, help: 'the configuration, FortiOS CLI text' }],
  async run(values, { stdout, stderr }) {
    const path = values.one('config') ?? '';
    const file = await readConfigFile(path);
    if (file.kind === 'unreadable') {
      say(stderr, `postern check: ${file.why}`);
      return EXIT.usage;
    }
    say(stdout, file.text);
    return file.kind === 'loaded' ? EXIT.ok : EXIT.usage;
  },
};
