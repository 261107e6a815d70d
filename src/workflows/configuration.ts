import { short } from '../domain/certificate.js';
import { goneLine, planChanges } from '../domain/plan-changes.js';
import type { CaPlan } from '../domain/rotation.js';
import { read, readOn } from './options.js';
import type { Rotation } from './rotation.js';
import type { StatusBoard } from './status.js';

/**
 * What the worker's configuration says of the authority now.
 * @param reader `readOn` once something is changed
 */
export async function resolve(authority: string, board: StatusBoard, reader = read): Promise<CaPlan> {
  const summary = `Read the configuration of ${authority}`;
  const plan = await reader.resolveCaRotation.executeWithOptions({ summary }, [{ authority }]);
  if (plan.searchAttributes) board.useSearchAttributes();
  return plan;
}

/** The rotation as the configuration has it now. */
export interface ConfiguredAnew {
  readonly rotation: Rotation;
  /** Something was added: it has to be trusted and moved before anything is confirmed. */
  readonly grown: boolean;
  /** Something disappeared, which blocks the removal. */
  readonly blocked?: string | undefined;
}

/**
 * A rotation lasts for days, and its configuration may change meanwhile (safety 34): what was added since it was read last is to be
 * moved first, and what disappeared since the beginning blocks.
 */
export async function configuredAnew(rotation: Rotation, begun: CaPlan): Promise<ConfiguredAnew> {
  const { plan: last, board } = rotation;
  const plan = await resolve(last.authority, board, readOn);
  if (plan.configDigest === last.configDigest) return { rotation, grown: false, blocked: blockedBy(begun, plan) };
  board.problem(`The configuration was changed: it is ${short(plan.configDigest)} now`);
  const { added } = planChanges(last, plan);
  added.forEach((part) => board.problem(`Added to the configuration: ${part}. It is moved first`));
  rotation.interventions.knows({ plan });
  return { rotation: { ...rotation, plan }, grown: added.length > 0, blocked: blockedBy(begun, plan) };
}

function blockedBy(begun: CaPlan, now: CaPlan): string | undefined {
  return goneLine(begun.authority, planChanges(begun, now).gone);
}
