#!/usr/bin/env node
/**
 * The command in a checkout, whatever Node runs it: plain JavaScript, since one older than 24 does not read the sources. Such a
 * one hands over to the Node that is pinned here, or says that it is too old.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const OLDEST = 24;
const command = new URL('postern.ts', import.meta.url);
process.on('SIGUSR1', () => undefined); // of both: see the command
const pinnedNode = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));

if (Number(process.versions.node.split('.')[0]) >= OLDEST) await import(command.href);
else if (existsSync(pinnedNode)) handOver();
else refuse(`Node ${process.versions.node} is too old, ${OLDEST} or newer is needed`);

/** Is nothing but its pipe from here on: the same arguments, terminal, signals and exit code. */
function handOver() {
  const real = spawn(pinnedNode, [fileURLToPath(command), ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal gives its Ctrl-C to both of us; the daemon takes two of one moment for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => real.kill(signal));
  real.on('error', (error) => refuse(`the pinned Node cannot be started (${error.message})`));
  real.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function refuse(why) {
  process.stderr.write(`postern: ${why}.\nIn a checkout \`npm start\` brings its own; elsewhere see https://nodejs.org/.\n`);
  process.exit(3);
}
