/** Programs for the two ends of a tunnel: an echo of TCP and UDP, and clients of it, each started in a namespace. */
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

const [role = '', address = '', ...rest] = process.argv.slice(2);
const PORT = 7;
const say = (word: string) => process.stdout.write(`${word}\n`);

const roles: Readonly<Record<string, () => void>> = {
  /** Echoes until it is ended. */
  serve() {
    const family = address.includes(':') ? 'udp6' : 'udp4';
    const udp = createSocket(family);
    udp.on('message', (octets, { port, address: from }) => udp.send(octets, port, from));
    const tcp = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => socket.destroy());
      socket.pipe(socket);
    });
    udp.bind(PORT, address, () => tcp.listen(PORT, address, () => say('ready')));
  },
  /** One datagram of each size; says which came back whole. */
  udp() {
    const [from = '', ...sizes] = rest;
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const waiting = new Map(sizes.map((size) => [Number(size), randomBytes(Number(size))]));
    const done = setTimeout(() => {
      say(`lost ${[...waiting.keys()].join(' ')}`);
      process.exit(1);
    }, 6000);
    socket.on('message', (octets) => {
      const sent = waiting.get(octets.length);
      if (sent?.equals(octets) === true) waiting.delete(octets.length);
      if (waiting.size > 0) return;
      clearTimeout(done);
      say('all back');
      socket.close();
    });
    const send = () => {
      for (const octets of waiting.values()) socket.send(octets, PORT, address);
    };
    socket.bind({ address: from }, () => {
      send();
      setInterval(send, 1000).unref(); // the first may be lost while a path's MTU is learned
    });
  },
  /** Numbered datagrams at a steady pace (ms), so many octets each and sent once; says how many came back. */
  count() {
    const [from = '', total = '100', every = '10', size = '200'] = rest;
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const missing = new Set(Array.from({ length: Number(total) }, (_, i) => i));
    const done = () => {
      say(`${Number(total) - missing.size} of ${total}`);
      process.exit(0);
    };
    socket.on('message', (octets) => {
      missing.delete(octets.readUInt32BE());
      if (missing.size === 0) done();
    });
    let next = 0;
    const send = () => {
      const octets = Buffer.alloc(Number(size));
      octets.writeUInt32BE(next);
      socket.send(octets, PORT, address);
      next += 1;
      if (next === Number(total)) setTimeout(done, 2000);
      else setTimeout(send, Number(every));
    };
    socket.bind({ address: from }, send);
  },
  /** Sends each line of its input, in hex, as a datagram to `address`:`port`. */
  inject() {
    const [from = '', ownPort = '0', port = '4500'] = rest;
    const socket = createSocket('udp4');
    let text = '';
    process.stdin.on('data', (octets) => {
      text += octets;
    });
    process.stdin.on('end', () => {
      const all = text.split('\n').filter(Boolean);
      const send = () => {
        const hex = all.shift();
        if (hex === undefined) socket.close();
        else socket.send(Buffer.from(hex, 'hex'), Number(port), address, () => setTimeout(send, 2));
      };
      socket.bind({ address: from, port: Number(ownPort) }, send);
    });
  },
  /** So many octets there and back over TCP, compared by hash. */
  tcp() {
    const [from = '', megabytes = '1'] = rest;
    const chunk = randomBytes(1 << 20);
    const [sent, got] = [createHash('sha256'), createHash('sha256')];
    let [left, back] = [Number(megabytes), 0];
    const socket = connect({ host: address, port: PORT, localAddress: from });
    socket.setTimeout(5000, () => socket.destroy(new Error('nothing comes')));
    socket.on('error', (error) => {
      say(`failed: ${error.message}`);
      process.exit(1);
    });
    const write = () => {
      while (left > 0) {
        left -= 1;
        sent.update(chunk);
        if (!socket.write(chunk)) return;
      }
      socket.end();
    };
    socket.on('drain', write);
    socket.on('connect', write);
    socket.on('data', (octets) => {
      got.update(octets);
      back += octets.length;
    });
    socket.on('end', () => say(sent.digest('hex') === got.digest('hex') ? `whole ${back}` : `changed ${back}`));
  },
};

const play = roles[role];
if (play === undefined) throw new Error(`no role ${role}`);
play();
