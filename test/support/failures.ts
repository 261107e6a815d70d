import { ApplicationFailure } from '@temporalio/common';

/** The innermost cause of what a workflow failed with. */
export function rootOf(error: unknown): Error {
  let cause = error;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  return cause as Error;
}

export function typeOf(error: unknown): string | undefined {
  const root = rootOf(error);
  return root instanceof ApplicationFailure ? (root.type ?? undefined) : root.name;
}

/** What an update was refused with. */
export async function refusalOf(sent: Promise<unknown>): Promise<string> {
  return rootOf(await sent.catch((error: unknown) => error)).message;
}
