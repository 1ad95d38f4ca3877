/** Before and after all interop tests: no namespace and no process of an earlier run is left. */
import { sweep } from './namespaces.ts';
import { lacking } from './requirements.ts';

export async function setup(): Promise<void> {
  if (lacking().length === 0) await sweep();
}

export { setup as teardown };
