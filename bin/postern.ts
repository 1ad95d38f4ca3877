#!/usr/bin/env node
/** The one command a user types. Only checks the Node it runs on; the rest is in src/cli. */
import process from 'node:process';

const OLDEST = 24;

// Unheard, it has Node open its debugger on the loopback, where any user of the machine could read keys and run code as us.
process.on('SIGUSR1', () => undefined);

if (Number(process.versions.node.split('.')[0]) < OLDEST) {
  process.stderr.write(
    `postern: Node ${process.versions.node} is too old, ${OLDEST} or newer is needed.\n` +
      'In a checkout `npm start` brings its own; elsewhere see https://nodejs.org/.\n',
  );
  process.exit(3);
}

// Imported only now: an old Node would stumble over the sources before it could say why.
const { main, terminalOf } = await import('../src/cli/index.ts');
process.exitCode = await main(process.argv.slice(2), terminalOf(process));
// What was written still goes out; should anything keep the loop busy, it gets half a second.
setTimeout(() => process.exit(), 500).unref();
