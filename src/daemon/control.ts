/** The control socket of a daemon that has a state directory: what people may see and do through it. */
import { join } from 'node:path';
import { ControlRefused, type ControlServer, controlCommands, serveControl, type TrafficOff } from '../control/index.ts';
import type { Journal } from '../log/index.ts';
import { EnvironmentRefused } from '../net/index.ts';
import type { GatewayState } from './gateway.ts';
import type { Posture } from './posture.ts';

export type ControlWorld = {
  readonly journal: Journal;
  readonly posture: Posture;
  /** Seconds since 1970. */
  readonly unix: () => number;
  readonly state: () => Promise<Pick<GatewayState, 'gateways' | 'traffic'>>;
  readonly trafficOff: () => TrafficOff | undefined;
  readonly reload: () => Promise<{ readonly ok: boolean; readonly text: string }>;
};

/**
 * Opens `control.sock` in the state directory; without one there is no socket.
 *
 * @throws EnvironmentRefused when it cannot be made
 */
export async function openControl(state: string | undefined, world: ControlWorld): Promise<ControlServer | undefined> {
  if (state === undefined) return undefined;
  const { journal, posture, unix, state: shown, trafficOff, reload } = world;
  try {
    return await serveControl({
      path: join(state, 'control.sock'),
      onFault: (error) =>
        journal.event({
          kind: 'fault',
          where: 'control',
          stack: error instanceof Error ? (error.stack ?? error.message) : String(error),
        }),
      commands: controlCommands({
        now: unix,
        tunnels: shown,
        trafficOff,
        reload,
        admin: (key) => posture.admins.get(key),
        ems: () =>
          posture.connectors.map((connector) => ({
            ...connector.status(),
            records: connector.records(),
            outOfSync: connector.look({ uid: '' }).kind === 'silent',
          })),
      }),
    });
  } catch (error) {
    if (!(error instanceof ControlRefused)) throw error;
    throw new EnvironmentRefused(error.code, error.message, error.fix);
  }
}
