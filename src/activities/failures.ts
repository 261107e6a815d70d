import { ApplicationFailure, Context, cancelled } from '@temporalio/activity';
import { RotationError } from '../domain/failures.js';
import type { Progress } from '../targets/target.js';

type Activity = (...args: never[]) => Promise<unknown>;

/**
 * Turns RotationErrors into ApplicationFailures of the same type: what happened and in what state things are, then what to
 * do; retried only where a retry can help. The cause is left out: its text is foreign and lands in history.
 */
export function reportingFailures<A extends Record<string, Activity>>(activities: A): A {
  const wrapped = Object.entries(activities).map(([name, activity]) => [
    name,
    async (...args: never[]) => {
      try {
        return await activity(...args);
      } catch (error) {
        if (!(error instanceof RotationError)) throw error;
        throw ApplicationFailure.create({
          type: error.type,
          message: `${error.message} ${error.fix}`,
          nonRetryable: !error.retryable,
        });
      }
    },
  ]);
  return Object.fromEntries(wrapped) as A;
}

/** Progress of the running activity: each line is its heartbeat, which `status` shows. */
export function progress(): Progress {
  const context = Context.current();
  return { report: (line) => context.heartbeat({ line }), signal: context.cancellationSignal };
}

/** Waits, heartbeating `line`, until the time is over or the activity is cancelled. */
export async function pause(ms: number, line: string): Promise<void> {
  const context = Context.current();
  context.heartbeat({ line });
  await Promise.race([context.sleep(ms), cancelled()]);
}
