import type { Dependencies } from './dependencies.js';

/** The time now, by a clock that was read once. */
export type Clock = () => Date;

type Clocks = Pick<Dependencies, 'now' | 'clusterTime'>;

/**
 * The clock of the Kubernetes API server, which what pollers and pods show is compared with: ours may be off by minutes
 * (`ClockSkewed`). Throws RotationError where the API server does not answer.
 */
export async function clusterClock(deps: Clocks): Promise<Clock> {
  const aheadMs = await aheadOfCluster(deps);
  return () => new Date(deps.now().getTime() - aheadMs);
}

/**
 * So far our clock is ahead of the API server's (milliseconds; negative: behind). That one tells whole seconds: where ours is
 * within the second told there is no difference, else the second is taken to be over.
 */
export async function aheadOfCluster(deps: Clocks): Promise<number> {
  const asked = deps.now().getTime();
  const second = (await deps.clusterTime()).getTime();
  const told = deps.now().getTime();
  const over = second + 1000;
  return asked < over && second <= told ? 0 : told - over;
}
