import type { Client } from '@temporalio/client';
import { caRotationId } from '../domain/ids.js';
import type { MoveUnderWay } from '../domain/renewal.js';
import type { CaPlan } from '../domain/rotation.js';
import { tell, type Told } from './history.js';
import { isRunning } from './running.js';

/** Is a CA rotation of the authority at moving its targets? From its history: no billed action, no live worker needed. */
export async function moveUnderWay(client: Client, authority: string): Promise<MoveUnderWay | undefined> {
  const workflowId = caRotationId(authority);
  if (!(await isRunning(client, workflowId))) return undefined;
  return moveIn(await tell(client, workflowId));
}

/** While targets move only a wait for a person, about one that failed, has a timer: it may take days. */
function moveIn({ outcome, waiting, steps, results }: Told): MoveUnderWay | undefined {
  const step = steps.findLast(({ phase }) => phase !== '');
  const isMoving = step?.phase === 'leaves' || (step?.phase === 'filters' && step.state === 'done');
  if (outcome !== 'running' || waiting || !isMoving) return undefined;
  return { plan: results['resolveCaRotation'] as CaPlan };
}
