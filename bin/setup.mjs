/**
 * Before every npm script: the pinned packages are there, and among them the Node that the script will run on.
 * Plain JavaScript for the Node that happens to be installed (20 is enough): nothing else may be needed to get this far.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { delimiter, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const lock = join(root, 'package-lock.json');
const installed = join(root, 'node_modules', '.package-lock.json'); // npm writes it last: half an install has none
const pinnedNode = join(root, 'node_modules', '.bin', 'node');

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) install();
if (!existsSync(pinnedNode)) checkOwnNode();
else if (/libatomic/.test(spawnSync(pinnedNode, ['--version'], { encoding: 'utf8' }).stderr)) installLibatomic();

/** No binary for this kind of machine: the Node that runs this must do. */
function checkOwnNode() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return;
  const fix = "On Linux (x64, arm64) run 'npm ci --ignore-scripts --include=optional'; elsewhere install Node 24 or newer.";
  fail(`Node ${process.versions.node} is too old, and npm installed no newer one`, fix);
}

/** The one library that the pinned Node needs and a small Debian lacks. */
function installLibatomic() {
  say('the pinned Node needs libatomic1: installing it with apt-get');
  const apt = (...args) => spawnSync('apt-get', ['-q', '-q', ...args], { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  if (!apt('update') || !apt('install', '-y', '--no-install-recommends', 'libatomic1'))
    fail('libatomic1 could not be installed', "Run 'apt-get install libatomic1' as root, then try again.");
}

/** Installs exactly what package-lock.json says. No package's own script runs. */
function install() {
  const why = existsSync(installed) ? 'package-lock.json has changed' : 'first run';
  say(`${why}: installing the pinned packages (less than a minute)`);
  const started = performance.now();
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm must not run on the Node inside the folder that it is about to replace.
  const inside = `${sep}node_modules${sep}.bin`;
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.endsWith(inside));
  const env = { ...process.env, PATH: path.join(delimiter) };
  const done = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env });
  if (done.error) fail(`npm could not be started (${done.error.message})`, "Install npm ('apt-get install npm') and try again.");
  if (done.status !== 0) {
    const how = done.signal === null ? `exit code ${done.status}` : `signal ${done.signal}`;
    fail(`'npm ${args.join(' ')}' failed (${how})`, 'Its own message is above; without one, look at the network or the proxy.');
  }
  say(`installed in ${Math.round((performance.now() - started) / 1000)} s`);
}

function say(words) {
  process.stderr.write(`postern: ${words}\n`);
}

function fail(what, fix) {
  process.stderr.write(`postern: ${what}.\n         ${fix}\n`);
  process.exit(3);
}
