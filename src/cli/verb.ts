/** What a verb of `postern` is: a name, its options, what it does. */
import type { Terminal } from './exit.ts';
import type { Option, Values } from './options.ts';

export type Verb = {
  readonly name: string;
  /** One line for the list of verbs. */
  readonly summary: string;
  /** More, for `postern help VERB`; lines. */
  readonly text: readonly string[];
  readonly options: readonly Option[];
  /** The words it takes besides options, in order; brackets: may be left out; dots: may be many: ['UID', '[TAG …]']. */
  readonly words?: readonly string[];
  /** Verbs below this one (`postern ems endpoint add`): then it does nothing by itself. */
  readonly verbs?: readonly Verb[];
  /** Does it; gives the exit code. Throws EnvironmentRefused when the machine does not allow it. */
  run(values: Values, terminal: Terminal): Promise<number>;
};
