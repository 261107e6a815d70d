import { maxCas, planFilters, refuseFullBundle } from '../domain/bundle.js';
import { short } from '../domain/certificate.js';
import { judgeKey } from '../domain/cloud-key.js';
import { RotationError } from '../domain/failures.js';
import { isOfPod } from '../domain/pollers.js';
import type { NamespaceTrust } from '../cloud/cloud.js';
import { Authorities } from './authorities.js';
import { aheadOfCluster } from './cluster-clock.js';
import type { Dependencies } from './dependencies.js';
import { progress } from './failures.js';
import { leavesFor } from './leaves.js';
import { authorityConfig, isSaidToBeOwn, targetsOf } from './plan.js';

/** A certificate made by a clock that is off by more is not valid yet, or no longer, to everybody else. */
const clockToleranceMs = 5 * 60_000;

export function preflightActivities(deps: Dependencies) {
  /**
   * Everything that can fail later, looked at before anything is changed. Each line is for a person. When it is urgent, one target
   * that is not well does not keep the others from moving: it is among the problems, and its own rotation asks a person.
   */
  async function preflightCa({ authority, urgent = false }: Preflight): Promise<Found> {
    await deps.assertPrograms(authority);
    const lines = [await clock(deps), ...(await apiKey(deps, authority, urgent))];
    const problems: string[] = [];
    for (const namespace of authorityConfig(deps, authority).namespaces) {
      const trust = await deps.cloud.readNamespace(namespace);
      lines.push(...(await admission(deps, trust)), ...(await room(deps, authority, trust)));
    }
    for (const target of targetsOf(deps, authority)) {
      progress().report(`inspecting ${target}`);
      try {
        lines.push(...(await inspected(deps, target)));
      } catch (error) {
        if (!urgent || !isFinding(error)) throw error;
        problems.push(`${target}: ${error.message}`);
      }
    }
    return { lines, ...(problems.length > 0 && { problems }) };
  }

  return { preflightCa };
}

/** It says something of the target, and trying again at once would not help. */
function isFinding(error: unknown): error is RotationError {
  return error instanceof RotationError && (!error.retryable || error.type === 'WorkloadUnsettled');
}

/** What is to be looked at. */
export interface Preflight {
  readonly authority: string;
  readonly urgent?: boolean;
}

export interface Found {
  readonly lines: readonly string[];
  readonly problems?: readonly string[];
}

async function inspected(deps: Dependencies, target: string): Promise<readonly string[]> {
  const { consumers, warnings, gap } = await deps.target(target).inspect();
  await refuseOwnOutage(deps, target, gap);
  return [`${target}: ${consumers.join(', ')}`, ...warnings.map((warning) => `${target}: ${warning}`)];
}

async function clock(deps: Dependencies): Promise<string> {
  const aheadMs = await aheadOfCluster(deps);
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  const line = `the clock here is ${seconds} s ${aheadMs < 0 ? 'behind' : 'ahead of'} the API server's`;
  if (Math.abs(aheadMs) <= clockToleranceMs) return line;
  throw new RotationError('ClockSkewed', `Nothing was changed: ${line}.`);
}

/** The undo needs the API key and nothing else: it outlives everything that a rotation may wait for. */
async function apiKey(deps: Dependencies, authority: string, urgent: boolean): Promise<readonly string[]> {
  const { namespaces, approval } = authorityConfig(deps, authority);
  const { trustSoak, soak, watch, proof, rolloutDeadline } = deps.config.timing;
  const perNamespace = 3 * proof.deadline + watch;
  const waits = urgent ? 0 : trustSoak + soak + approval.deadline;
  const longestMs = waits + namespaces.length * perNamespace + targetsOf(deps, authority).length * rolloutDeadline;
  const identity = await deps.cloud.identity();
  if (!identity) return ['the cloud does not tell whose the API key is, nor when it ends'];
  const until = new Date(deps.now().getTime() + longestMs);
  return judgeKey(identity, { namespaces, until, state: 'Nothing was changed' });
}

/** mTLS is on, and the filters admit every leaf: those in use, and those that will be issued. */
async function admission(deps: Dependencies, trust: NamespaceTrust): Promise<readonly string[]> {
  const { namespace, mtlsEnabled, filters, operationInProgress } = trust;
  if (!mtlsEnabled)
    throw new RotationError('WouldLockOut', `mTLS is not enabled on ${namespace}; nothing was changed.`);
  const wanted = deps.config.namespaces[namespace]?.filters ?? filters;
  planFilters({ wanted, leaves: await leavesFor(deps, namespace) });
  return [
    `${namespace} has ${filters.length} filters; the ${wanted.length} wanted ones admit every leaf`,
    ...(operationInProgress ? [`${namespace}: operation ${operationInProgress} is running; it is waited for`] : []),
  ];
}

/** Room for one more CA, unless the next one is in the bundle already. */
async function room(
  deps: Dependencies,
  authority: string,
  { namespace, bundle }: NamespaceTrust,
): Promise<readonly string[]> {
  const { next } = await new Authorities(deps).record(authority);
  if (next && bundle.some((ca) => ca.fingerprint === next))
    return [`${namespace} trusts the next CA ${short(next)} already`];
  refuseFullBundle(bundle, deps.now());
  return [`${namespace} trusts ${bundle.length} of ${maxCas} CAs`];
}

/**
 * A rollout that takes pods away before others work. Where they poll the rotation's own task queue, nobody might be left to go
 * on with it (safety 33): refused by what the configuration says and by who really polls.
 */
export async function refuseOwnOutage(deps: Dependencies, target: string, gap: string | undefined): Promise<void> {
  if (!gap) return;
  const own = { namespace: deps.client().options.namespace, name: deps.config.temporal.taskQueue };
  if (!isSaidToBeOwn(deps, target) && !(await polls(deps, target, own))) return;
  throw new RotationError(
    'WouldLockOut',
    `${target} polls the task queue ${own.name} of the rotation itself, and ${gap}: nobody would be left to go on. Use rollout: none; or rolling, with maxUnavailable 0 and a readiness probe that fails when Temporal refuses the worker.`,
  );
}

async function polls(deps: Dependencies, target: string, queue: { namespace: string; name: string }): Promise<boolean> {
  const { holders } = await deps.target(target).adoption({ leaf: '', at: deps.now().toISOString() });
  const pollers = await deps.pollers(queue);
  return holders.some(({ name }) => pollers.some(({ identity }) => isOfPod(identity, name)));
}
