/** `config postern …`: what FortiOS has no words for. */
import { integer, names, option, options, served, text, texts, toggle } from './setting.ts';
import { table } from './table.ts';

export const posternSettings = table({
  path: 'postern settings',
  help: 'what FortiOS has no words for',
  key: 'none',
  words: {
    'natt-port': served(integer(1, 65535, 0, [0]), 'UDP port of NAT traversal; 0: the ike-natt-port of system settings'),
    'half-open-cookie-threshold': served(
      integer(0, 1000000, 30),
      'half-open IKE SAs from which on a new client must return a cookie; 0 is always',
    ),
    'half-open-per-address': served(integer(1, 1000000, 64), 'half-open IKE SAs that one address may have'),
    'half-open-max': served(integer(1, 1000000, 10000), 'half-open IKE SAs in all'),
    'sa-max': served(integer(1, 10000000, 100000), 'IKE SAs in all'),
    'quiet-auth-failures': served(toggle('disable'), 'do not answer an IKE_AUTH that is refused, as FortiOS does'),
    'eap-gtc-with-psk': served(
      toggle('disable'),
      'let EAP-GTC send passwords to a gateway that proves itself by a pre-shared key',
    ),
    'eap-methods': served(options(['mschapv2', 'gtc'], ['mschapv2', 'gtc']), 'EAP methods, the preferred first'),
    'replay-window': served(
      integer(32, 65536, 2048),
      'numbers behind the highest that a late ESP packet may have, of tunnels that begin from now on',
    ),
    'lease-linger': served(
      integer(0, 2592000, 86400),
      'seconds for which an address is kept for the identity that had it, while others are free',
    ),
  },
});

/** A status type of private use; 0 is not set. */
const statusNumber = integer(40960, 65535, 0, [0]);

export const posternPosture = table({
  path: 'postern posture',
  help: 'the posture gate as a whole',
  key: 'none',
  words: {
    'lookup-wait': served(integer(100, 10000, 1000), 'ms that a look-up at EMS may take before EMS counts as slow'),
    probation: served(integer(1, 600, 10), 'seconds that a token may take which the client has announced'),
    'ztna-tag-learn': served(toggle('enable'), 'recognise the notify that carries a token by its looks'),
    'ztna-tag-notify': served(statusNumber, 'number of the notify that carries a token; 0: not pinned'),
    'tags-success-notify': served(statusNumber, 'number of EMS_ZTNA_TAGS_CHECK_SUCCESS; 0: not sent'),
    'tags-failure-notify': served(
      integer(8192, 65535, 0, [0]),
      'number of the notify for a failed tag check, 8192-16383 or 40960-65535; 0: AUTHENTICATION_FAILED',
    ),
    'geoip-database': served(text(4095), 'MMDB file that tells the countries of addresses'),
    'serial-number': served(text(16), 'our serial number, the CN of the certificate that we make for EMS'),
  },
});

export const posternEms = table({
  path: 'postern ems',
  help: 'more about a server of endpoint-control fctems, by its name there',
  keyMax: 35,
  words: {
    driver: served(
      option(['native', 'fortios'], 'native'),
      'the API that it speaks: our own, or the calls of a FortiGate with bodies that are a guess',
    ),
    'token-key': served(texts(65535), 'public keys of its tokens, PEM or JWK, besides those that it tells'),
    certificate: served(text(79), 'our client certificate for it, of vpn certificate local'),
  },
});

export const posternProfile = table({
  path: 'postern profile',
  help: 'more about a phase1-interface, by its name',
  keyMax: 35,
  words: {
    'unknown-device': served(
      option(['deny', 'token'], 'deny'),
      'a device that EMS does not know: denied, or a valid token may speak for it',
    ),
    'uid-binding': served(
      option(['address', 'certificate', 'warn'], 'address'),
      'what ties a claimed UID to the device: an address that EMS knows or a certificate, the certificate alone, or nothing',
    ),
    'posture-lost': served(option(['delete', 'quarantine', 'log'], 'delete'), 'what becomes of a tunnel whose posture is lost'),
    'quarantine-destination': served(names(79), 'addresses that a tunnel in quarantine may still reach'),
  },
});
