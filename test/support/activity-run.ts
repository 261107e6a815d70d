import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createActivities, type Activities } from '../../src/activities/index.js';
import type { World } from './fakes.js';

export interface ActivityRun<Result> {
  readonly result: Promise<Result>;
  /** Heartbeats so far, the newest last. */
  readonly heartbeats: readonly Record<string, unknown>[];
  readonly cancel: MockActivityEnvironment['cancel'];
  onHeartbeat(hear: (details: Record<string, unknown>) => void): void;
  /** Resolves with the first heartbeat from now on whose line matches. */
  reaches(line: RegExp): Promise<void>;
}

/** Runs one activity of the world; `heartbeatDetails` is what the attempt before left. */
export function runActivity<Name extends keyof Activities>(
  world: World,
  name: Name,
  input: Parameters<Activities[Name]>[0],
  heartbeatDetails?: unknown,
): ActivityRun<Awaited<ReturnType<Activities[Name]>>> {
  const environment = new MockActivityEnvironment(
    { heartbeatDetails, attempt: heartbeatDetails ? 2 : 1 },
    { logger: new DefaultLogger('ERROR') },
  );
  const heartbeats: Record<string, unknown>[] = [];
  environment.on('heartbeat', (details: Record<string, unknown>) => heartbeats.push(details));
  const activity = createActivities(world.deps)[name] as (given: typeof input) => Promise<never>;
  const result: Promise<Awaited<ReturnType<Activities[Name]>>> = environment.run(activity, input);
  // A test that looks at the result later must not fail before.
  result.catch(() => undefined);
  return {
    result,
    heartbeats,
    cancel: environment.cancel,
    onHeartbeat: (hear) => void environment.on('heartbeat', hear),
    reaches: (line) =>
      new Promise((resolve, reject) => {
        environment.on('heartbeat', (details: Record<string, unknown>) => {
          if (line.test(String(details['line']))) resolve();
        });
        result.then(
          () => reject(new Error(`it ended without saying ${line.source}`)),
          (error: Error) => reject(new Error(`it failed without saying ${line.source}`, { cause: error })),
        );
      }),
  };
}
