import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { removeAtEnd } from '../children.js';
import { startSandbox, type Sandbox } from '../index.js';
import { underTraffic } from '../steady-traffic.js';
import { withDirectClient } from '../traffic.js';
import { prepareArticle, rotateByHand } from './article.js';
import { rotateCa, rotateLeaf } from './ours.js';
import { measured, type Done, type Measured } from './procedure.js';

/** What is compared, in the order in which it happens on one sandbox: the article's CA rotation ends what the workflows know. */
export const procedures = ['steady', 'leaf', 'ca', 'caByHand', 'leafByHand'] as const;
export type ProcedureName = (typeof procedures)[number];

export type RotationRun = Readonly<Record<ProcedureName, Measured>>;

export interface RotationOptions {
  readonly say: (line: string) => void;
  /** How long the traffic runs without any rotation, for comparison. */
  readonly steadyMs: number;
  /** Started by this process, outside the gateway: they keep coming while no worker is there. */
  readonly bookingsPerSecond: number;
}

/** All procedures, one after the other, on a sandbox of their own with three workers under steady traffic. */
export async function runRotations({ say, steadyMs, bookingsPerSecond }: RotationOptions): Promise<RotationRun> {
  const folder = mkdtempSync(join(tmpdir(), 'cert-rotation-bench-'));
  const keep = removeAtEnd(folder);
  const sandbox = await startSandbox({ dir: join(folder, 'state'), progress: say, bookingsPerSecond: 0 });
  try {
    return await withDirectClient(sandbox, (client) =>
      underTraffic({ client, perSecond: bookingsPerSecond }, async (traffic) => {
        const run = async (name: ProcedureName, work: () => Promise<Done>): Promise<Measured> => {
          say(`${titles[name]} …`);
          const result = await measured(sandbox, traffic, work);
          say(`${titles[name]}: ${lineOf(result)}`);
          return result;
        };
        const steady = await run('steady', () => doNothing(steadyMs));
        const leaf = await run('leaf', () => rotateLeaf(sandbox, client));
        const ca = await run('ca', () => rotateCa(sandbox, client));
        await prepareArticle(sandbox, say);
        const caByHand = await run('caByHand', () => rotateByHand(sandbox, 'ca'));
        const leafByHand = await run('leafByHand', () => rotateByHand(sandbox, 'leaf'));
        return { steady, leaf, ca, caByHand, leafByHand };
      }),
    );
  } finally {
    await ended(sandbox, folder);
    keep();
  }
}

export const titles: Readonly<Record<ProcedureName, string>> = {
  steady: 'No rotation',
  leaf: 'Leaf, here',
  ca: 'CA, here',
  caByHand: 'CA, article',
  leafByHand: 'Leaf, article',
};

async function doNothing(forMs: number): Promise<Done> {
  await wait(forMs);
  return { typed: [], seconds: forMs / 1000, temporalActions: 0, heartbeatsAtMost: 0 };
}

function lineOf({ seconds, workerDowntimeMs, failedCalls, slowestBookingMs, ownSeconds }: Measured): string {
  const own = ownSeconds === undefined ? '' : ` (${ownSeconds.toFixed(2)} s its own)`;
  return `${seconds.toFixed(1)} s${own}, downtime ${workerDowntimeMs} ms, ${failedCalls} failed calls, slowest booking ${slowestBookingMs} ms`;
}

async function ended(sandbox: Sandbox, folder: string): Promise<void> {
  await sandbox.stop();
  await rm(folder, { recursive: true, force: true });
}
