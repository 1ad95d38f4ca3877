// Holds a backend against known answers. The vectors are data of the caller: the files of vectors/ in tests, knownAnswers.ts
// at start.
import type { CryptoBackend } from './backend.ts';
import { join } from './octets.ts';

/** One known answer; all octets are hexadecimal. */
export type KnownAnswer =
  | {
      readonly kind: 'cipher';
      readonly name: string;
      readonly encr: number;
      readonly keyLength: number;
      readonly integ: number;
      readonly encrKey: string;
      readonly integKey: string;
      /** What stands in front of the IV and is authenticated with it. */
      readonly aad: string;
      readonly iv: string;
      readonly plaintext: string;
      readonly ciphertext: string;
      /** Left out where the source knows encryption only: then it is not compared. */
      readonly icv?: string;
    }
  /** A `mac` shorter than the output is compared with its beginning. */
  | {
      readonly kind: 'mac';
      readonly name: string;
      readonly prf: number;
      readonly key: string;
      readonly data: string;
      readonly mac: string;
    }
  /** prf+(prf(salt, ikm), info); `prk` is the key in between. */
  | {
      readonly kind: 'derive';
      readonly name: string;
      readonly prf: number;
      readonly salt: string;
      readonly ikm: string;
      readonly info: string;
      readonly prk: string;
      readonly okm: string;
    }
  | {
      readonly kind: 'plus';
      readonly name: string;
      readonly prf: number;
      readonly key: string;
      readonly seed: string;
      readonly okm: string;
    }
  | {
      readonly kind: 'group';
      readonly name: string;
      readonly group: number;
      readonly private: string;
      /** Left out where the source gives only the product. */
      readonly public?: string;
      readonly peer: string;
      readonly shared: string;
    }
  /**
   * Both ends of one exchange, private values given; SHA-1 over the two public values and the secret, for groups with long
   * numbers.
   */
  | {
      readonly kind: 'exchange';
      readonly name: string;
      readonly group: number;
      readonly private: string;
      readonly peerPrivate: string;
      readonly digest: string;
    }
  /** A peer's public value that must not be agreed with. */
  | { readonly kind: 'refuse'; readonly name: string; readonly group: number; readonly peer: string }
  | { readonly kind: 'sha1'; readonly name: string; readonly data: string; readonly digest: string };

/** Runs every answer; gives a sentence for each that does not hold, so none when all is well. Throws nothing. */
export function selfTest(backend: CryptoBackend, answers: readonly KnownAnswer[]): readonly string[] {
  return answers.flatMap((answer) => {
    try {
      return wrong(backend, answer).map((what) => `${backend.name}: ${answer.name}: ${what}`);
    } catch (error) {
      return [`${backend.name}: ${answer.name}: ${error instanceof Error ? error.message : 'failed'}`];
    }
  });
}

/** Has the backend what an answer is about? */
export function hasAnswer(backend: CryptoBackend, answer: KnownAnswer): boolean {
  switch (answer.kind) {
    case 'cipher':
      return backend.cipher(answer.encr, answer.keyLength, answer.integ) !== undefined;
    case 'mac':
    case 'derive':
    case 'plus':
      return backend.prf(answer.prf) !== undefined;
    case 'group':
    case 'exchange':
    case 'refuse':
      return backend.group(answer.group) !== undefined;
    case 'sha1':
      return true;
  }
}

function wrong(backend: CryptoBackend, answer: KnownAnswer): readonly string[] {
  switch (answer.kind) {
    case 'cipher':
      return wrongCipher(backend, answer);
    case 'mac': {
      const mac = backend.prf(answer.prf)?.mac(octets(answer.key), octets(answer.data));
      return compare('MAC', mac?.subarray(0, answer.mac.length / 2), answer.mac);
    }
    case 'derive': {
      const prf = backend.prf(answer.prf);
      const [salt, ikm, info, prk] = [octets(answer.salt), octets(answer.ikm), octets(answer.info), octets(answer.prk)];
      const length = answer.okm.length / 2;
      return [
        ...compare('extracted key', prf?.mac(salt, ikm), answer.prk),
        ...compare('prf+', prf?.plus(prk, info, length), answer.okm),
        ...compare('derived key', prf?.derive(salt, ikm, info, length), answer.okm),
      ];
    }
    case 'plus': {
      const okm = backend.prf(answer.prf)?.plus(octets(answer.key), octets(answer.seed), answer.okm.length / 2);
      return compare('prf+', okm, answer.okm);
    }
    case 'group': {
      const pair = backend.group(answer.group)?.fromPrivate(octets(answer.private));
      return [
        ...(answer.public === undefined ? [] : compare('public value', pair?.publicValue, answer.public)),
        ...compare('shared secret', pair?.agree(octets(answer.peer)), answer.shared),
      ];
    }
    case 'exchange': {
      const group = backend.group(answer.group);
      const [ours, theirs] = [group?.fromPrivate(octets(answer.private)), group?.fromPrivate(octets(answer.peerPrivate))];
      const secret = ours && theirs?.agree(ours.publicValue);
      if (!ours || !theirs || !secret) return ['no agreement'];
      return compare('agreement', backend.sha1(ours.publicValue, theirs.publicValue, secret), answer.digest);
    }
    case 'refuse': {
      const group = backend.group(answer.group);
      if (!group) return ['not there'];
      return group.generate().agree(octets(answer.peer)) ? ['a bad public value was agreed with'] : [];
    }
    case 'sha1':
      return compare('digest', backend.sha1(octets(answer.data)), answer.digest);
  }
}

function wrongCipher(backend: CryptoBackend, answer: KnownAnswer & { kind: 'cipher' }): readonly string[] {
  const cipher = backend.cipher(answer.encr, answer.keyLength, answer.integ);
  if (!cipher) return ['not there'];
  const keys = [octets(answer.encrKey), octets(answer.integKey)] as const;
  const [aad, iv, plaintext] = [octets(answer.aad), octets(answer.iv), octets(answer.plaintext)];
  const message = join([aad, new Uint8Array(iv.length + plaintext.length + cipher.icvOctets)]);
  cipher.sealer(...keys).seal(message, aad.length, plaintext, iv);
  const wanted = answer.aad + answer.iv + answer.ciphertext + (answer.icv ?? '');
  const forged = message.slice();
  forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1;
  return [
    ...compare('sealed message', message.subarray(0, wanted.length / 2), wanted),
    ...compare('opened plaintext', cipher.opener(...keys).open(message, aad.length), answer.plaintext),
    ...(cipher.opener(...keys).open(forged, aad.length) ? ['a forged message was opened'] : []),
  ];
}

function compare(what: string, got: Uint8Array | undefined, wanted: string): readonly string[] {
  if (!got) return [`no ${what}`];
  return Buffer.from(got).equals(octets(wanted)) ? [] : [`wrong ${what}`];
}

function octets(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
