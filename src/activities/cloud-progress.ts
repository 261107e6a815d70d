import { Context } from '@temporalio/activity';
import type { ChangeOptions, TrustChange } from '../cloud/cloud.js';

/** How an activity changes a namespace: each line is its heartbeat. */
export function cloudProgress(): Required<Pick<ChangeOptions, 'onProgress' | 'signal'>> {
  const context = Context.current();
  return { onProgress: (line) => context.heartbeat({ line }), signal: context.cancellationSignal };
}

/** What a person should know of how a change of the cloud went; absent when nothing. */
export interface Noted {
  readonly notes?: readonly string[];
}

export const noted = ({ notes = [] }: TrustChange): Noted => (notes.length > 0 ? { notes } : {});
