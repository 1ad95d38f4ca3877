/** A small MMDB file: an IPv6 tree with IPv4 at ::/96, 24-bit records, `country.iso_code` behind each prefix. */

type Node = [Branch, Branch];
type Branch = Node | string | undefined;

/** @param countries prefixes, `192.0.2.0/24` or 32 hexadecimal digits with a length, and their countries */
export function mmdb(countries: Readonly<Record<string, string>>): Buffer {
  const root: Node = [undefined, undefined];
  for (const [prefix, code] of Object.entries(countries)) plant(root, bitsOf(prefix), code);
  const nodes: Node[] = [];
  const count = (node: Node) => {
    nodes.push(node);
    for (const branch of node) if (Array.isArray(branch)) count(branch);
  };
  count(root);
  const codes = [...new Set(Object.values(countries))];
  const records = codes.map((code) => map({ country: map({ iso_code: text(code) }) }));
  const offset = (code: string) => records.slice(0, codes.indexOf(code)).reduce((sum, { length }) => sum + length, 0);
  const pointer = (branch: Branch) =>
    Array.isArray(branch) ? nodes.indexOf(branch) : branch === undefined ? nodes.length : nodes.length + 16 + offset(branch);
  const tree = Buffer.alloc(nodes.length * 6);
  for (const [i, [left, right]] of nodes.entries()) {
    tree.writeUIntBE(pointer(left), i * 6, 3);
    tree.writeUIntBE(pointer(right), i * 6 + 3, 3);
  }
  const about = map({
    node_count: unsigned(6, nodes.length),
    record_size: unsigned(5, 24),
    ip_version: unsigned(5, 6),
    binary_format_major_version: unsigned(5, 2),
    binary_format_minor_version: unsigned(5, 0),
    build_epoch: Buffer.from([0x01, 0x02, 0x01]),
    database_type: text('Lab-Country'),
    languages: Buffer.from([0x00, 0x04]),
    description: map({}),
  });
  return Buffer.concat([tree, Buffer.alloc(16), ...records, Buffer.from('abcdef', 'hex'), Buffer.from('MaxMind.com'), about]);
}

function plant(node: Node, bits: string, code: string): void {
  const side = bits[0] === '1' ? 1 : 0;
  if (bits.length === 1) {
    node[side] = code;
    return;
  }
  const below = node[side];
  const next: Node = Array.isArray(below) ? below : [below, below];
  node[side] = next;
  plant(next, bits.slice(1), code);
}

function bitsOf(prefix: string): string {
  const [address = '', length = ''] = prefix.split('/');
  const octets = address.includes('.') ? address.split('.').map(Number) : [...Buffer.from(address, 'hex')];
  const bits = octets.map((octet) => octet.toString(2).padStart(8, '0')).join('');
  return (address.includes('.') ? '0'.repeat(96) : '') + bits.slice(0, Number(length));
}

const text = (value: string) => Buffer.concat([Buffer.from([0x40 | value.length]), Buffer.from(value)]);
const unsigned = (type: 5 | 6, value: number) => Buffer.from([(type << 5) | 2, value >> 8, value & 255]);
const map = (fields: Readonly<Record<string, Buffer>>) =>
  Buffer.concat([
    Buffer.from([0xe0 | Object.keys(fields).length]),
    ...Object.entries(fields).flatMap(([name, value]) => [text(name), value]),
  ]);
