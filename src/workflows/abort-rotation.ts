import { CancellationScope, isCancellation, sleep, workflowInfo } from '@temporalio/workflow';
import { short } from '../domain/certificate.js';
import { handled } from './failures.js';
import { moveOne } from './move-leaves.js';
import { patient, write } from './options.js';
import type { Rotation } from './rotation.js';

/**
 * Undoes a CA rotation before its removal (safety 39): the old CA signs again, every target that is on the new one is moved
 * back by an ordinary leaf rotation, and only then does the new CA leave the namespaces. What fails leaves both trusted.
 */
export async function undoRotation(rotation: Rotation): Promise<void> {
  const { plan, board } = rotation;
  board.enter('abort', 'the targets that moved to be found');
  try {
    await moveLeavesBack(rotation);
    await dropNewCa(rotation);
  } catch (error) {
    await CancellationScope.nonCancellable(() =>
      write.keepBothCas.executeWithOptions({ summary: 'Both CAs may be used again' }, [{ authority: plan.authority }]),
    );
    if (isCancellation(error)) throw error;
    throw handled(error, 'The abort came to no end: both CAs stay trusted where they were. Start the rotation again.');
  }
}

async function moveLeavesBack({ plan, ca, old, board }: Rotation): Promise<void> {
  const { authority } = plan;
  if (!old) return;
  await write.moveSignerBack.executeWithOptions({ summary: `Sign with ${short(old.fingerprint)} again` }, [
    { authority, ca: ca.fingerprint },
  ]);
  const { targets } = await patient.targetsOnCa.executeWithOptions(
    { summary: `Find the targets that are on CA ${short(ca.fingerprint)}` },
    [{ authority, ca: ca.fingerprint }],
  );
  for (const target of targets) {
    board.wait(`${target} to move back onto CA ${short(old.fingerprint)}`);
    const { newFingerprint } = await moveOne(target, old);
    board.prove(`${target} is back on a leaf of the old CA, ${short(newFingerprint ?? '')}`);
  }
  if (targets.length === 0) return;
  board.wait('connections of the new CA to end (maximum connection age and grace)');
  await sleep(plan.soakMs, { summary: 'Let every connection of the new CA reach its maximum age' });
}

async function dropNewCa({ plan, ca, board }: Rotation): Promise<void> {
  const { authority, namespaces } = plan;
  board.wait(`CA ${short(ca.fingerprint)} to leave ${namespaces.join(', ')}`);
  await patient.markRetiring.executeWithOptions({ summary: `Stop every use of CA ${short(ca.fingerprint)}` }, [
    { authority, old: ca.fingerprint },
  ]);
  for (const namespace of namespaces) {
    await patient.dropCa.executeWithOptions({ summary: `Take CA ${short(ca.fingerprint)} out of ${namespace}` }, [
      { authority, namespace, ca: ca.fingerprint, rotation: workflowInfo().runId },
    ]);
    board.prove(`${namespace} no longer trusts CA ${short(ca.fingerprint)}`);
  }
  await write.abandonCa.executeWithOptions({ summary: `Forget CA ${short(ca.fingerprint)} and destroy its key` }, [
    { authority, ca: ca.fingerprint },
  ]);
}
