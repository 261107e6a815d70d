import type { Command } from 'commander';
import { RotationError } from '../domain/failures.js';
import { caRotationId } from '../domain/ids.js';
import { parseIntervention, type Intervention } from '../domain/intervention.js';
import { answer, globalOptions, mustHave, withClient, withExamples } from './context.js';
import { BadInput, exitCodes, NoWorker, refusalOf } from './exit.js';
import { sendUpdate } from './update.js';

type Given = Pick<Intervention, 'who' | 'why' | 'keepBoth' | 'dryRun'>;

export function addInterveneCommands(program: Command): void {
  const retry = program
    .command('retry <authority> [target]')
    .description('move a target again that failed in a CA rotation; without one, whatever waits for it')
    .requiredOption('--who <who>', 'who decides; recorded as claimed')
    .option('--why <why>', 'the reason, for the record', '')
    .action((authority: string, target: string | undefined, given: Given, self: Command) =>
      intervene(self, authority, { action: 'retry', ...(target && { target }), ...given }),
    );
  const skip = program
    .command('skip <authority> <target>')
    .description('let a CA rotation go on without a target that failed; the old CA then stays trusted')
    .requiredOption('--who <who>', 'who decides; recorded as claimed')
    .requiredOption('--why <why>', 'the reason, for the record')
    .action((authority: string, target: string, given: Given, self: Command) =>
      intervene(self, authority, { action: 'skip', target, ...given }),
    );
  const abort = program
    .command('abort <authority>')
    .description('undo a CA rotation that has not removed anything yet, and say what is undone')
    .requiredOption('--who <who>', 'who decides; recorded as claimed')
    .requiredOption('--why <why>', 'the reason, for the record')
    .option('--keep-both', 'undo nothing: end it as it is, with both CAs trusted')
    .option('--dry-run', 'only say what would be undone')
    .action((authority: string, given: Given, self: Command) =>
      intervene(self, authority, { action: 'abort', ...given }),
    );
  const undo = program
    .command('undo-removal <authority>')
    .description('put the old CA back, while its removal is being watched, and keep both CAs')
    .requiredOption('--who <who>', 'who decides; recorded as claimed')
    .requiredOption('--why <why>', 'the reason, for the record')
    .action((authority: string, given: Given, self: Command) =>
      orByShell(authority, intervene(self, authority, { action: 'undoRemoval', ...given })),
    );
  withExamples(undo, 'undo-removal temporal-booking --who ada --why "the nightly job is refused"');
  withExamples(retry, 'retry temporal-booking --who ada', 'retry temporal-booking booking-worker --who ada');
  withExamples(skip, 'skip temporal-booking booking-worker --who ada --why "it moves next week"');
  const aborting = 'abort temporal-booking --who ada --why "wrong subject"';
  withExamples(abort, `${aborting} --dry-run`, aborting, `${aborting} --keep-both`);
}

/** An undo needs neither Temporal nor a worker (safety 15): whoever does not reach them is told how. */
async function orByShell(authority: string, undone: Promise<void>): Promise<void> {
  try {
    await undone;
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal?.exitCode !== exitCodes.unreachable) throw error;
    const [save, restore] = [`save ${authority} --kept --to trust.json`, 'restore --from trust.json --who … --why …'];
    const byShell = `To undo it without Temporal: cert-rotation break-glass ${save}, then cert-rotation break-glass ${restore}.`;
    const message = `${refusal.message.replace(/([^.])$/, '$1.')} ${byShell}`;
    throw error instanceof RotationError ? new RotationError(error.type, message) : new NoWorker(message);
  }
}

/** What it would undo is looked at first (`prompt` in workflows/options.ts). */
const abortWithinMs = 60_000;

interface Taken {
  readonly undoes: readonly string[];
}

async function intervene(command: Command, authority: string, given: Intervention): Promise<void> {
  const sent = parseIntervention(given);
  if (typeof sent === 'string') throw new BadInput(`not taken: ${sent}`);
  const options = globalOptions(command);
  const workflowId = caRotationId(authority);
  await withClient(options, mustHave('authorities', authority), async (client) => {
    const update = { name: 'intervene', sent, ...(sent.action === 'abort' && { withinMs: abortWithinMs }) };
    const { undoes } = await sendUpdate<Intervention, Taken>(client, workflowId, update);
    const done = sent.dryRun ? 'would undo' : 'taken; undoes';
    const lines =
      sent.action === 'abort' ? [`${workflowId}: abort ${done}:`, ...undoes.map((line) => `- ${line}`)] : [];
    const follow = `Follow it: cert-rotation status ${authority}`;
    answer(options, { workflowId, ...sent, identity: 'claimed', accepted: true, undoes }, [
      ...(lines.length > 0 ? lines : [`${workflowId}: ${sent.action} of ${sent.who} taken`]),
      ...(sent.dryRun ? [] : [follow]),
    ]);
  });
}
