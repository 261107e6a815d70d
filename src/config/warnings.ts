import type { BrokenRule } from './rules.js';
import type { Config } from './schema.js';

/** What works, and leaves more to trust than it need. @param rotationNamespace where the rotations run */
export function warningsOf(config: Config, rotationNamespace: string): readonly BrokenRule[] {
  return [...applicationsBesideRotations(config, rotationNamespace), ...targetsThatPollNothing(config)];
}

/** Whoever reaches the namespace can start, signal and terminate whatever runs in it, rotations included (safety 23). */
function applicationsBesideRotations({ temporal, targets }: Config, rotationNamespace: string): BrokenRule[] {
  return Object.entries(targets).flatMap(([name, { taskQueues }]) => {
    const index = taskQueues.findIndex(
      (queue) => queue.namespace === rotationNamespace && queue.name !== temporal.taskQueue,
    );
    if (index < 0) return [];
    const message = `its workers share the namespace "${rotationNamespace}" with the rotations: they can start, signal and end them`;
    const fix = 'Let the rotations run in a namespace of their own, and list approval.approvers';
    return [{ path: ['targets', name, 'taskQueues', index, 'namespace'], message, fix }];
  });
}

/** With `rollout: none` a pod must report what it presents, so that there is evidence all the same. */
function targetsThatPollNothing({ targets }: Config): BrokenRule[] {
  return Object.entries(targets).flatMap(([name, { taskQueues, rollout }]) => {
    if (taskQueues.length > 0 || rollout === 'none') return [];
    const message =
      'polls nothing that is looked at: a new pod that is ready counts as moved, whether Temporal lets it in or not';
    const fix = 'Give its taskQueues; where there are none, have it report what it presents (docs/workers.md)';
    return [{ path: ['targets', name], message, fix }];
  });
}
