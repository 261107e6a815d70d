import { ApplicationFailure } from '@temporalio/workflow';

/** A request that was read, or a workflow (never a task, which would be retried for ever) that fails with what is wrong. */
export function accepted<Request>(workflow: string, parsed: Request | string): Request {
  if (typeof parsed !== 'string') return parsed;
  throw ApplicationFailure.nonRetryable(`Cannot start ${workflow}: ${parsed}`, 'BadRequest');
}

/** The innermost cause says what happened; its wrappers only say where. */
export function rootOf(error: unknown): Error {
  let cause = error;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  return cause instanceof Error ? cause : new Error(String(cause));
}

/** Did an activity, or a child, end with an ApplicationFailure of this type? */
export function failedWith(error: unknown, type: string): boolean {
  const root = rootOf(error);
  return root instanceof ApplicationFailure && root.type === type;
}

/** `error` again, with what was done about it. */
export function handled(error: unknown, line: string): ApplicationFailure {
  const root = rootOf(error);
  const type = root instanceof ApplicationFailure ? root.type : undefined;
  return ApplicationFailure.nonRetryable(`${root.message} ${line}`, type ?? root.name);
}
