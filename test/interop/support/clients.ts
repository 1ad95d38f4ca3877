/**
 * strongSwan clients for the four shapes: what goes into swanctl.conf, and the suites that the tests run through.
 */
import { type Shape, secrets } from './config.ts';
import { addresses } from './namespaces.ts';
import type { Credential } from './pki.ts';
import type { Files, Settings } from './strongswan.ts';

export type Suite = {
  readonly name: string;
  /** In swanctl's words. */
  readonly ike: string;
  readonly esp: string;
  /** In the words of `swanctl --list-sas`. */
  readonly ikeSuite: string;
  readonly espSuite: string;
};

export const suites = [
  {
    name: 'AES-GCM with X25519',
    ike: 'aes256gcm16-prfsha256-x25519',
    esp: 'aes256gcm16',
    ikeSuite: 'AES_GCM_16-256/PRF_HMAC_SHA2_256/CURVE_25519',
    espSuite: 'AES_GCM_16-256',
  },
  {
    name: 'AES-CBC and HMAC-SHA2 with MODP-2048',
    ike: 'aes256-sha256-modp2048',
    esp: 'aes256-sha256',
    ikeSuite: 'AES_CBC-256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048',
    espSuite: 'AES_CBC-256/HMAC_SHA2_256_128',
  },
  {
    name: 'ChaCha20-Poly1305 with P-384',
    ike: 'chacha20poly1305-prfsha384-ecp384',
    esp: 'chacha20poly1305',
    ikeSuite: 'CHACHA20_POLY1305/PRF_HMAC_SHA2_384/ECP_384',
    espSuite: 'CHACHA20_POLY1305',
  },
  {
    name: 'AES-GCM with PRF-SHA512 and P-521',
    ike: 'aes256gcm16-prfsha512-ecp521',
    esp: 'aes256gcm16',
    ikeSuite: 'AES_GCM_16-256/PRF_HMAC_SHA2_512/ECP_521',
    espSuite: 'AES_GCM_16-256',
  },
] as const satisfies readonly Suite[];

export type ClientOptions = {
  readonly shape: Shape;
  readonly ike?: string;
  readonly esp?: string;
  readonly user?: 'alice' | 'bob';
  readonly gateway?: string;
  /** The client's own certificate; its identity is the first name in it, or its subject. */
  readonly own?: Credential;
  readonly id?: string;
  /** Beside or instead of the lines of the connection, its two ends, and its child. */
  readonly connection?: Settings;
  readonly local?: Settings;
  readonly remote?: Settings;
  readonly child?: Settings;
  /** Further children by name. */
  readonly children?: Settings;
};

/** Section `connections.NAME`; the child has the connection's name. */
export function connection(name: string, o: ClientOptions): Settings {
  const suite = suites[0];
  return {
    [name]: {
      version: 2,
      proposals: o.ike ?? suite.ike,
      remote_addrs: o.gateway ?? addresses.gateway,
      vips: '0.0.0.0',
      ...o.connection,
      local: { ...localEnd(o), ...o.local },
      remote: { auth: o.shape.startsWith('psk') ? 'psk' : 'pubkey', id: 'vpn.lab.test', ...o.remote },
      children: { [name]: { remote_ts: '10.50.0.0/24', esp_proposals: o.esp ?? suite.esp, ...o.child }, ...o.children },
    },
  };
}

function localEnd({ shape, user = 'alice', own, id }: ClientOptions): Settings {
  switch (shape) {
    case 'psk':
      return { auth: 'psk', id: id ?? `${user}@lab.test` };
    case 'psk-eap':
    case 'certificate-eap':
      return { auth: 'eap-mschapv2', eap_id: user, id: id ?? `${user}@lab.test` };
    case 'certificate':
      return { auth: 'pubkey', certs: 'own.pem', id: id ?? own?.subject };
  }
}

/** Section `secrets`: the right ones unless a test has others. */
export function clientSecrets(o: { readonly psk?: string; readonly alice?: string; readonly bob?: string } = {}): Settings {
  return {
    'ike-psk': { secret: o.psk ?? secrets.psk },
    'eap-alice': { id: 'alice', secret: o.alice ?? secrets.alice },
    'eap-bob': { id: 'bob', secret: o.bob ?? secrets.bob },
  };
}

/** Files for a client: its own certificate and key, and the CAs it trusts or sends along. */
export function clientFiles(o: { readonly own?: Credential; readonly authorities?: readonly Credential[] }): Files {
  const own: Files = o.own ? { 'x509/own.pem': o.own.certificate, 'private/own.pem': o.own.key } : {};
  return { ...own, ...Object.fromEntries((o.authorities ?? []).map((ca, i) => [`x509ca/ca${i}.pem`, ca.certificate])) };
}
