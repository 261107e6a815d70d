import { isCancellation, workflowInfo } from '@temporalio/workflow';
import { short } from '../domain/certificate.js';
import { trustedAgain } from '../domain/rotation-messages.js';
import { rootOf } from './failures.js';
import { lasting, patient } from './options.js';
import type { Rotation } from './rotation.js';
import { tell } from './tell.js';

/**
 * Adds the new CA again wherever somebody took it out, and widens filters again that refuse leaves of ours: whoever has moved is
 * refused until then, and nobody may be awake to say so. What others trust stays. People are told, and whoever is asked later; a line for each namespace, empty where none lacked it. One that cannot be
 * changed is among the problems.
 */
export async function trustAgain(rotation: Rotation): Promise<readonly string[]> {
  const { plan, board, incidents } = rotation;
  const lines: string[] = [];
  for (const namespace of plan.namespaces) {
    try {
      const line = await addAgain(rotation, namespace);
      if (line) lines.push(line);
    } catch (error) {
      if (isCancellation(error)) throw error;
      board.problem(`${namespace} could not be seen to trust the new CA: ${rootOf(error).message}`);
    }
  }
  if (lines.length === 0) return lines;
  lines.forEach((line) => board.problem(line));
  incidents.push(...lines);
  void tell(plan.notifiers, board, trustedAgain(plan.authority, lines));
  return lines;
}

/** What was done; undefined: nothing was to do. */
async function addAgain({ plan, ca, board }: Rotation, namespace: string): Promise<string | undefined> {
  const name = short(ca.fingerprint);
  const step = { authority: plan.authority, namespace, ca: ca.fingerprint, rotation: workflowInfo().runId };
  const { operationId, widened, notes } = await patient.trustCa.executeWithOptions(
    { summary: `See that ${namespace} still trusts CA ${name}` },
    [{ ...step, again: true }],
  );
  notes?.forEach((note) => board.problem(note));
  if (!operationId) return undefined;
  const { line } = await patient.proveTrust.executeWithOptions(
    { summary: `Prove that ${namespace} admits leaves of ${name} again`, ...lasting(plan.proofDeadlineMs) },
    [step],
  );
  board.prove(line);
  return widened
    ? `${namespace}: somebody else changed its filters, which refused leaves of ours; they admit them, and CA ${name}, again`
    : `${namespace}: somebody else took out CA ${name}; it was added again`;
}
