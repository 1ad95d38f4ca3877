/** Recorded sessions with strongSwan play again, offline, to the same octets. `npm run record` makes new ones. */
import { readdirSync } from 'node:fs';
import { expect } from 'vitest';
import { play, type Recording } from '../support/recording.ts';

export const file = readdirSync(new URL('../../vectors/recorded/', import.meta.url))
  .filter((name) => name.endsWith('.json'))
  .map((name) => `recorded/${name}`);

export function run(data: unknown): void {
  const recording = data as Recording; // the file's shape is this runner's to know
  const sent = play(recording);
  recording.steps.forEach((step, i) => {
    expect(sent[i], `step ${i}, ${step.did} at ${step.now} ms`).toEqual(step.sent);
  });
  expect(sent.flat().length, 'datagrams sent in the whole session').toBeGreaterThan(4);
}
