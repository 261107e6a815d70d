import { RotationError } from '../domain/failures.js';
import type { CaPlan, LeafPlan } from '../domain/rotation.js';
import type { AuthorityConfig, TargetConfig } from '../config/schema.js';
import type { Dependencies } from './dependencies.js';
import { subscriptions } from './notify.js';
import { isWindowed } from './windows.js';

export function targetConfig(deps: Dependencies, target: string): TargetConfig {
  const config = deps.config.targets[target];
  if (!config) throw new RotationError('UnknownTarget', `The configuration has no target "${target}".`);
  return config;
}

export function authorityConfig(deps: Dependencies, authority: string): AuthorityConfig {
  const config = deps.config.authorities[authority];
  if (!config) throw new RotationError('UnknownAuthority', `The configuration has no authority "${authority}".`);
  return config;
}

/** Names of the targets whose leaves the authority signs, in the order of the configuration. */
export function targetsOf(deps: Dependencies, authority: string): readonly string[] {
  return Object.entries(deps.config.targets)
    .filter(([, target]) => target.authority === authority)
    .map(([name]) => name);
}

/** Does the configuration say that its pods poll the rotation's own task queue? */
export function isSaidToBeOwn(deps: Dependencies, target: string): boolean {
  const own = { namespace: deps.client().options.namespace, name: deps.config.temporal.taskQueue };
  const { taskQueues } = targetConfig(deps, target);
  return taskQueues.some(({ namespace, name }) => namespace === own.namespace && name === own.name);
}

/** Does the rotation worker itself work with it (safety 33)? A Secret that cannot be read is named by preflight. */
async function isOwn(deps: Dependencies, target: string): Promise<boolean> {
  if (isSaidToBeOwn(deps, target)) return true;
  try {
    const own = await deps.ownCertificate();
    return own !== undefined && (await deps.target(target).read())?.certificate.fingerprint === own.fingerprint;
  } catch (error) {
    if (error instanceof RotationError) return false;
    throw error;
  }
}

function clientLine(client: NonNullable<AuthorityConfig['clients']>[number]): string {
  const { name, target, attestedBy, attestedOn, because } = client;
  if (target) return `Declared: ${name}, by its target ${target}.`;
  return `Declared: ${name}, attested by ${attestedBy} on ${attestedOn}: ${because}.`;
}

/** The worker owns the configuration: a request names an authority or a target, the first activity resolves the rest. */
export function planActivities(deps: Dependencies) {
  async function resolveCaRotation({ authority }: { authority: string }): Promise<CaPlan> {
    const { namespaces, approval, clients, notify } = authorityConfig(deps, authority);
    const { timing } = deps.config;
    const targets = targetsOf(deps, authority);
    const canaries = targets.filter((name) => targetConfig(deps, name).canary);
    const alone: string[] = [];
    for (const name of targets.filter((name) => !canaries.includes(name)))
      if (targetConfig(deps, name).rollout === 'none' || (await isOwn(deps, name))) alone.push(name);
    return {
      authority,
      namespaces,
      canaries,
      alone,
      others: targets.filter((name) => !canaries.includes(name) && !alone.includes(name)),
      approval: {
        mode: approval.mode,
        deadlineMs: approval.deadline,
        remindEveryMs: approval.remindEvery,
        secondPerson: approval.secondPerson,
        ...(approval.approvers && { approvers: Object.keys(approval.approvers) }),
      },
      ...(clients && { clients: clients.map(clientLine) }),
      trustSoakMs: timing.trustSoak,
      soakMs: timing.soak,
      watchMs: timing.watch,
      blindMs: timing.connectionAge + timing.connectionAgeGrace,
      proofDeadlineMs: timing.proof.deadline,
      rolloutDeadlineMs: timing.rolloutDeadline,
      ...(isWindowed(deps, 'removals') && { windowed: true }),
      configDigest: deps.configDigest,
      searchAttributes: deps.searchAttributes,
      notifiers: subscriptions(deps.config, notify),
    };
  }

  async function resolveLeafRotation({ target }: { target: string }): Promise<LeafPlan> {
    const { authority, rollout } = targetConfig(deps, target);
    const { namespaces, notify } = authorityConfig(deps, authority);
    return {
      target,
      authority,
      namespaces,
      rolloutDeadlineMs: deps.config.timing.rolloutDeadline,
      ...(rollout !== 'none' && isWindowed(deps, 'restarts') && { windowed: true }),
      proofDeadlineMs: deps.config.timing.proof.deadline,
      configDigest: deps.configDigest,
      searchAttributes: deps.searchAttributes,
      notifiers: subscriptions(deps.config, notify),
    };
  }

  async function listTargets(): Promise<readonly string[]> {
    return Object.keys(deps.config.targets);
  }

  return { resolveCaRotation, resolveLeafRotation, listTargets };
}
