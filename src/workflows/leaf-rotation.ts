import { ApplicationFailure, CancellationScope, workflowInfo } from '@temporalio/workflow';
import { short, type LeafReference } from '../domain/certificate.js';
import { leafRotationId } from '../domain/ids.js';
import type { LeafPlan, LeafPreflight, LeafRotationRequest, LeafRotationResult } from '../domain/rotation.js';
import { follow, runUnderFixedId } from './fixed-id.js';
import { patient, quick } from './options.js';
import { StatusBoard } from './status.js';

/**
 * Renews the leaf of one target: issue, test with that very leaf, update, roll out, prove adoption, discard. Before the
 * update nothing was touched; after it, every failure puts the previous pair back.
 */
export async function leafRotation(request: LeafRotationRequest): Promise<LeafRotationResult> {
  const target = targetOf(request);
  const workflowId = leafRotationId(target);
  if (workflowInfo().workflowId !== workflowId) {
    const summary = `Rotate the leaf of ${target}`;
    const result = await runUnderFixedId({ workflow: leafRotation, workflowId, input: request, summary });
    return result ?? follow<LeafRotationResult>(workflowId);
  }

  const board = new StatusBoard(`Leaf of ${target}`);
  const plan = await quick.resolveLeafRotation.executeWithOptions({ summary: `Read the configuration of ${target}` }, [
    { target },
  ]);
  const found = await quick.preflightLeaf.executeWithOptions({ summary: `Inspect ${target}` }, [request]);
  if (found.skip) return skipped(plan, found);
  found.warnings.forEach((warning) => board.problem(warning));

  board.enter('issue');
  const leaf = await quick.issueLeaf.executeWithOptions({ summary: `Issue a leaf for ${target}` }, [
    { target, rotation: workflowInfo().runId, ...(request.ca && { ca: request.ca }) },
  ]);
  board.enter('test');
  await testConnection(plan, leaf);
  board.prove(`${plan.namespaces.join(', ')} admits leaf ${short(leaf.certificate.fingerprint)}`);

  const delivery = await moveTarget(plan, leaf, board);
  board.enter('discard');
  await quick.discardPairs.executeWithOptions({ summary: 'Discard the previous pair' }, [
    { target, rotation: workflowInfo().runId },
  ]);
  board.enter('done');
  return {
    target,
    outcome: 'rotated',
    ...(found.current && { oldFingerprint: found.current.fingerprint }),
    newFingerprint: leaf.certificate.fingerprint,
    notAfter: leaf.certificate.notAfter,
    deliveredAt: delivery.at,
  };
}

function targetOf(request: unknown): string {
  const target = (request as Partial<LeafRotationRequest> | undefined)?.target;
  if (typeof target !== 'string')
    throw ApplicationFailure.nonRetryable('start leafRotation with {"target": "<name>"}', 'BadRequest');
  return target;
}

function skipped({ target }: LeafPlan, { skip, current }: LeafPreflight): LeafRotationResult {
  return {
    target,
    outcome: 'skipped',
    ...(skip && { reason: skip }),
    ...(current && { newFingerprint: current.fingerprint, notAfter: current.notAfter }),
  };
}

async function testConnection(plan: LeafPlan, leaf: LeafReference): Promise<void> {
  const { target } = plan;
  try {
    await patient.testConnection.executeWithOptions(
      { summary: `Connect with leaf ${short(leaf.certificate.fingerprint)}` },
      [{ target, entry: leaf.entry }],
    );
  } catch (error) {
    await CancellationScope.nonCancellable(() =>
      quick.discardPairs.executeWithOptions({ summary: 'Discard the refused leaf; nothing used it' }, [
        { target, rotation: workflowInfo().runId },
      ]),
    );
    throw error;
  }
}

async function moveTarget(plan: LeafPlan, leaf: LeafReference, board: StatusBoard) {
  const { target } = plan;
  const name = short(leaf.certificate.fingerprint);
  const rotation = workflowInfo().runId;
  try {
    board.enter('update');
    const delivery = await quick.updateTarget.executeWithOptions({ summary: `Deliver leaf ${name} to ${target}` }, [
      { target, entry: leaf.entry, rotation },
    ]);
    board.enter('rollout');
    await patient.rollOut.executeWithOptions({ summary: `Roll ${target} out onto leaf ${name}` }, [
      { target, delivery },
    ]);
    board.enter('adopt');
    const adoption = await patient.confirmAdoption.executeWithOptions(
      { summary: `Prove that every pod uses leaf ${name}` },
      [{ target, delivery }],
    );
    adoption.holders.forEach((holder) => board.prove(`${holder.name}: ${holder.evidence}`));
    return delivery;
  } catch (error) {
    board.enter('restore');
    await CancellationScope.nonCancellable(() =>
      patient.restoreTarget.executeWithOptions({ summary: `Put the previous pair of ${target} back` }, [
        { target, rotation },
      ]),
    );
    throw error;
  }
}
