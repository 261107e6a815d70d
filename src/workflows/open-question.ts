import { CancellationScope, sleep } from '@temporalio/workflow';
import { rootOf } from './failures.js';
import { read } from './options.js';
import type { StatusBoard } from './status.js';

const lookEveryMs = 3_600_000;

interface Question {
  readonly authority: string;
  /** What it rests on. */
  readonly facts: readonly string[];
}

/** How a question ended: people decided, or what it rests on is so no more. */
export type Answer<Decided> = { readonly decided: Decided } | { readonly changes: readonly string[] };

/**
 * Waits for `decide`, and looks each hour at what the namespaces trust: in the days that people take, somebody else may put a
 * bundle back, and workers are refused meanwhile.
 */
export async function whileItIsTrue<Decided>(
  question: Question,
  board: StatusBoard,
  decide: () => Promise<Decided>,
): Promise<Answer<Decided>> {
  const scope = new CancellationScope();
  try {
    return await scope.run(() =>
      Promise.race([
        decide().then((decided) => ({ decided })),
        trustToChange(question, board).then((changes) => ({ changes })),
      ]),
    );
  } finally {
    scope.cancel();
  }
}

async function trustToChange({ authority, facts }: Question, board: StatusBoard): Promise<readonly string[]> {
  for (let unseen: string | undefined; ;) {
    await sleep(lookEveryMs, { summary: 'Look whether the namespaces trust what they did when people were asked' });
    try {
      const { changes } = await read.compareTrust.executeWithOptions({ summary: 'See what the namespaces trust now' }, [
        { authority, facts },
      ]);
      if (changes.length > 0) return changes;
      unseen = undefined;
    } catch (error) {
      if (CancellationScope.current().consideredCancelled) throw error;
      const { message } = rootOf(error);
      if (unseen !== message) board.problem(`It could not be seen what the namespaces trust now: ${message}`);
      unseen = message;
    }
  }
}
