import { ApplicationFailure, Context } from '@temporalio/activity';
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

/**
 * Why the running activity is to stop: a person cancels it; or another attempt takes over, because the worker shuts down (or
 * the activity is paused or reset). Undefined also when Temporal only lost sight of it, by a timeout or a connection that our
 * own removal cut: an undo must still happen then, and nobody else could do it.
 */
export function stopOf({ cancellationSignal }: Context): 'cancel' | 'hand over' | undefined {
  const { message } = (cancellationSignal.reason ?? {}) as Partial<Error>;
  if (message === 'CANCELLED') return 'cancel';
  return message === 'WORKER_SHUTDOWN' || message === 'PAUSED' || message === 'RESET' ? 'hand over' : undefined;
}

/** Aborts when the running activity is to stop. */
export function stopSignal(context: Context): AbortSignal {
  const controller = new AbortController();
  const look = () => stopOf(context) && controller.abort(context.cancellationSignal.reason);
  look();
  context.cancellationSignal.addEventListener('abort', look, { once: true });
  return controller.signal;
}

/** Waits, heartbeating `line`, until the time is over or the activity is cancelled. */
export async function pause(ms: number, line: string): Promise<void> {
  const context = Context.current();
  context.heartbeat({ line });
  await context.sleep(ms);
}
