import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { runCommand } from '../../command.js';
import { loadConfig } from '../../config/load.js';
import { caRotationId, leafRotationId } from '../../domain/ids.js';
import { tell, type Told } from '../../temporal/history.js';
import { untilApprovalIsAsked } from '../approval.js';
import { booking } from '../configuration.js';
import type { Sandbox } from '../index.js';
import { ownMs } from './own-time.js';
import type { Done } from './procedure.js';
import { watchRollout } from './rollout-watch.js';

const starter = fileURLToPath(new URL('../../../dist/starter.js', import.meta.url));
const deadlineMs = 300_000;

/** `cert-rotation rotate leaf`, and nothing else. */
export async function rotateLeaf(sandbox: Sandbox, client: Client): Promise<Done> {
  const type = typing(sandbox);
  const watch = await watchRollout(sandbox);
  await type.command('rotate', 'leaf', booking.target);
  const typed = type.ended();
  const rollout = await watch.stop();
  const told = await tell(client, leafRotationId(booking.target));
  const { timing } = (await loadConfig(sandbox.configFile)).config;
  const own = ownMs({
    whole: { from: Date.parse(told.startedAt), to: Date.parse(told.at) },
    rollout,
    configuredMs: [timing.secretPropagation, timing.proof.over],
  });
  return { ...typed, ...(await billed(client, told)), ownSeconds: own / 1000 };
}

/** `cert-rotation rotate ca`, and `approve` from another terminal as soon as it asks. */
export async function rotateCa(sandbox: Sandbox, client: Client): Promise<Done> {
  const type = typing(sandbox);
  const id = caRotationId(booking.authority);
  const rotation = type.command('rotate', 'ca', booking.authority);
  const asked = await Promise.race([rotation.then(() => false), untilApprovalIsAsked(client, id)]);
  if (!asked) throw new Error(`${id} ended without asking for approval`);
  await type.command('approve', booking.authority, '--who', 'ada', '--why', 'all workers moved');
  await rotation;
  return { ...type.ended(), ...(await billed(client, await tell(client, id))) };
}

/** Runs commands of the real CLI, and knows what was typed and how long it took. It connects to the dev server itself. */
function typing({ dir, temporal, configFile }: Sandbox) {
  const began = performance.now();
  const typed: string[] = [];
  const env = {
    // Where there is no profile of a person.
    HOME: dir,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: booking.namespace,
    CERT_ROTATION_CONFIG: configFile,
  };
  return {
    async command(...args: readonly string[]): Promise<void> {
      typed.push(['cert-rotation', ...args].join(' '));
      await runCommand({ program: { path: process.execPath }, args: [starter, ...args], env, deadlineMs });
    },
    ended: () => ({ typed, seconds: (performance.now() - began) / 1000 }),
  };
}

async function billed(client: Client, told: Told): Promise<Pick<Done, 'temporalActions' | 'heartbeatsAtMost'>> {
  const all = [told, ...(await Promise.all(told.children.map((child) => tell(client, child))))];
  return {
    temporalActions: all.reduce((sum, { actions }) => sum + actions, 0),
    heartbeatsAtMost: all.reduce((sum, one) => sum + one.heartbeatsAtMost, 0),
  };
}
