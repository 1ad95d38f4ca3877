/**
 * `execute fctems verify`, `unverify` and `is-verified`: a person looks at the certificate of an EMS and accepts it, or no longer
 * does. What is accepted is the SHA-256 of the very certificate that was shown; nothing is sent to a server before that.
 *
 *   pinned   it has been accepted: is the gateway authorised on the EMS?
 *   ca       a known authority vouches for it: the same, and then it may be accepted by itself
 *   no       nobody vouches for it: it is shown, and a person decides
 *   changed  it is not the one that was accepted: said, shown, and a person decides
 *
 * Words in FortiOS' spelling stand in `texts`; lines that begin with `Postern:` are ours.
 */
import { certificateText } from './certificateText.ts';
import type { EmsCallFailed } from './driver.ts';
import { colons } from './extensionText.ts';
import { failureOf, type ServerCertificate } from './http.ts';
import type { Note } from './store.ts';

/** Whom we speak to. `ask` is false where there is nobody to ask. */
export type Talk = { out(text: string): Promise<void>; ask(question: string): Promise<boolean> };

/** What an administrator can do with one EMS; each gives an exit code: 0 verified, 1 not, also when it cannot be reached. */
export type EmsAdmin = {
  /** Shows the certificate, asks, and tries whether EMS then takes our calls. */
  verify(talk: Talk): Promise<number>;
  /** Gives up what was accepted. */
  unverify(talk: Talk): Promise<number>;
  /** Says whether the certificate that it shows now is trusted, and by what. */
  isVerified(talk: Talk): Promise<number>;
};

/** The part of a connector that this needs. */
export type EmsPort = {
  readonly number: number;
  readonly name: string;
  readonly pinned: string | undefined;
  inspect(): Promise<ServerCertificate>;
  trust(sha256: string): Promise<void>;
  untrust(): Promise<boolean>;
};

/**
 * @param o.identify the first call of a connection, made now; rejects with EmsCallFailed
 * @param o.note the operator's journal: who trusts what since when must be found there
 */
export function emsAdmin(port: EmsPort, o: { identify(): Promise<unknown>; readonly note: Note }): EmsAdmin {
  const { number, name } = port;
  const verified = (words: string): string => `EMS "${name}" (ID: ${number}): ${words}\n`;

  /** Does EMS take our calls? Says what is wrong when it does not. */
  const calls = async (talk: Talk): Promise<boolean> => {
    try {
      await o.identify();
      return true;
    } catch (error) {
      await talk.out(failureText(failureOf(error), name, number));
      return false;
    }
  };
  const inspect = async (talk: Talk): Promise<ServerCertificate | undefined> => {
    try {
      return await port.inspect();
    } catch (error) {
      await talk.out(failureText(failureOf(error), name, number));
      return undefined;
    }
  };

  return {
    async verify(talk) {
      const shown = await inspect(talk);
      if (shown === undefined) return NO;
      if (shown.trusted === 'pinned') {
        if (!(await calls(talk))) return NO;
        await talk.out(texts.verified);
        return YES;
      }
      if (shown.trusted === 'ca' && !(await calls(talk))) return NO;
      if (shown.trusted === 'changed') await talk.out(texts.changed(name, number));
      if (!(await show(talk, shown))) return NO;
      await talk.out(texts.confirm);
      if (!(await talk.ask(texts.question))) return await refused(talk, shown);
      await port.trust(shown.sha256);
      o.note('warn', 'the certificate of an EMS was accepted by hand', { sha256: shown.sha256, before: shown.trusted });
      if (!(await calls(talk))) return NO;
      await talk.out(texts.verified);
      return YES;
    },

    async unverify(talk) {
      const had = await port.untrust();
      if (had) o.note('warn', 'the certificate of an EMS is no longer accepted by hand', {});
      await talk.out(verified(had ? 'its certificate is no longer accepted' : 'no certificate of it has been accepted'));
      return YES;
    },

    async isVerified(talk) {
      const shown = await inspect(talk);
      if (shown === undefined) {
        if (port.pinned !== undefined)
          await talk.out(`Postern: accepted is the certificate with SHA-256 ${pairs(port.pinned)}\n`);
        return NO;
      }
      switch (shown.trusted) {
        case 'pinned':
        case 'ca':
          await talk.out(verified(`its certificate is verified: ${shown.why}`));
          return YES;
        case 'changed':
          await talk.out(texts.changed(name, number));
          return NO;
        case 'no':
          await talk.out(verified(`its certificate is not verified: ${shown.why}`));
          return NO;
      }
    },
  };
}

const [YES, NO] = [0, 1];

const texts = {
  confirm: 'EMS configuration needs user to confirm server certificate.\n',
  question: 'Do you wish to add the above certificate to trusted remote certificates? (y/n)',
  verified: 'Certificate successfully configured and verified.\n',
  unknownAuthority:
    'certificate not configured/verified: 2\n' +
    'Could not verify server certificate based on current certificate authorities.\n' +
    'Error 1--92-60-0 in get SN call: EMS Certificate is not signed by a known CA.\n',
  denied:
    'failure in certificate configuration/verification: -4\n' +
    'Could not verify EMS. Error 1--94-0-401 in get SN call: Authentication denied.\n',
  connection: (why: string) =>
    `Error in requesting EMS fabric connection: -5\nissue in getting capabilities. ${why}\nError (-1@_get_capabilities:461).\n`,
  changed: (name: string, number: number) =>
    `Failed to verify the certificate for server "${name} (ID: ${number})".\n` +
    'Server certificate or configured certificate is not recognized.\n',
};

/** Why a call failed, in the vendor's words; the cause behind it, which those do not tell, in a line of ours. */
function failureText({ kind, message, status }: EmsCallFailed, name: string, number: number): string {
  // The message may hold words of the server.
  const cause = `Postern: ${message.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').slice(0, 300)}\n`;
  switch (kind) {
    case 'auth':
      return `${texts.denied}${cause}`;
    case 'certificate':
      return `${texts.changed(name, number)}${cause}`;
    case 'dns':
    case 'unreachable':
      return `${texts.connection('EMS server was not reachable.')}${cause}`;
    case 'server':
    case 'incompatible':
    case 'resync': {
      const code = status === undefined ? '' : ` received https code ${status}`;
      return `${texts.connection(`EMS server connection failed because the server is not compatible.${code}`)}${cause}`;
    }
  }
}

/** Shows a certificate; false, with the reason, for one that cannot be read. */
async function show(talk: Talk, { chain, sha256, trusted, why }: ServerCertificate): Promise<boolean> {
  const [leaf] = chain;
  try {
    if (leaf === undefined) throw new Error('there is none');
    await talk.out(`\n${certificateText(leaf)}`);
  } catch (error) {
    await talk.out(`${texts.unknownAuthority}Postern: ${error instanceof Error ? error.message : 'unreadable'}\n`);
    return false;
  }
  const warning = trusted === 'ca' ? '; once it is accepted, only this one counts, and its successor must be accepted again' : '';
  await talk.out(`Postern: SHA-256 ${pairs(sha256)}: ${why}${warning}\n\n`);
  return true;
}

async function refused(talk: Talk, { trusted, why }: ServerCertificate): Promise<number> {
  if (trusted === 'ca') await talk.out('Postern: it was not accepted by itself; a known authority vouches for it as before\n');
  else if (trusted === 'no') await talk.out(`${texts.unknownAuthority}Postern: ${why}\n`);
  else await talk.out('Postern: it was not accepted; the connector stays down until the old one is back\n');
  return NO;
}

const pairs = (digits: string): string => colons(Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));
