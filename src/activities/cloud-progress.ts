import { Context } from '@temporalio/activity';
import type { ChangeOptions } from '../cloud/cloud.js';

/** How an activity changes a namespace: each line is its heartbeat, which also keeps what the next attempt needs. */
export function cloudProgress(): Required<Pick<ChangeOptions, 'onProgress' | 'kept' | 'signal'>> {
  const context = Context.current();
  return {
    onProgress: (line, keep) => context.heartbeat({ line, ...(keep && { keep }) }),
    kept: (context.info.heartbeatDetails as { keep?: string } | undefined)?.keep,
    signal: context.cancellationSignal,
  };
}
