/**
 * The lab's EMS: an emulator in the same process, with two devices, and its administrator's door for `postern ems`. What it knows
 * is kept beside the lab.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EmsEmulator, EmsStore, readStore, serveAdmin } from '../../lab/index.ts';
import { codeOf, EnvironmentRefused } from '../../net/index.ts';

export const LAB_EMS_PORT = 8013;
/** The number of the lab's EMS, and the tag that the lab's profile wants of it. */
export const LAB_TAG = 'EMS1_ZTNA_healthy';

/** Clients are told apart by the address that is their identity: strongSwan has no UID to tell. */
export const DEVICES = [
  { uid: 'A11CE000000000000000000000000001', address: '10.97.9.1', hostname: 'alice-laptop', tags: ['healthy'] },
  { uid: 'B0B00000000000000000000000000002', address: '10.97.9.2', hostname: 'bob-laptop', tags: [] },
] as const;

export type LabEms = { readonly ems: EmsEmulator; readonly directory: string; close(): Promise<void> };

/**
 * Starts it; on another port when its own is taken.
 *
 * @param note takes lines for people
 * @throws EnvironmentRefused when its state cannot be kept
 */
export async function labEms(lab: string, note: (line: string) => void): Promise<LabEms> {
  const directory = join(lab, 'ems');
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const saved = await readStore(directory);
    let store: EmsStore | undefined;
    const start = (port: number) =>
      EmsEmulator.start({
        port,
        autoAuthorize: true,
        names: ['localhost'],
        ...(saved === undefined ? {} : { saved }),
        onChange: () => store?.dirty(),
        onNote: note,
      });
    const ems = await start(LAB_EMS_PORT).catch((error: unknown) => {
      if (codeOf(error) !== 'EADDRINUSE') throw error;
      note(`TCP port ${LAB_EMS_PORT} is taken: the lab's EMS listens on another`);
      return start(0);
    });
    store = new EmsStore(
      directory,
      () => ems.save(),
      (error) => note(`the state of the lab's EMS cannot be written: ${codeOf(error)}`),
    );
    for (const { uid, address, hostname, tags } of DEVICES)
      if (ems.endpoint(uid) === undefined) ems.addEndpoint(uid, { addresses: [address], hostname, tags });
    store.dirty();
    await store.flush();
    const kept = store;
    const door = await serveAdmin(ems, directory, () => kept.flush());
    return {
      ems,
      directory,
      async close() {
        await door.close();
        await ems.close();
        await kept.flush().catch(() => undefined); // the lab ends; what is not on the disk is made anew
      },
    };
  } catch (error) {
    if (error instanceof EnvironmentRefused) throw error;
    throw new EnvironmentRefused(
      codeOf(error),
      `The lab's EMS cannot keep its state in ${directory}: ${codeOf(error)}.`,
      `Name a directory that this user may write with --state DIR; remove ${directory} to start it anew.`,
    );
  }
}
