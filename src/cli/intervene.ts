import type { Command } from 'commander';
import { caRotationId } from '../domain/ids.js';
import { parseIntervention, type Intervention } from '../domain/intervention.js';
import { answer, globalOptions, mustHave, withClient, withExamples } from './context.js';
import { BadInput } from './exit.js';
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
  withExamples(retry, 'retry temporal-booking --who ada', 'retry temporal-booking booking-worker --who ada');
  withExamples(skip, 'skip temporal-booking booking-worker --who ada --why "it moves next week"');
  const aborting = 'abort temporal-booking --who ada --why "wrong subject"';
  withExamples(abort, `${aborting} --dry-run`, aborting, `${aborting} --keep-both`);
}

/** What it would undo is looked at first (`prompt` in workflows/options.ts). */
const abortWithinMs = 60_000;

interface Taken {
  readonly undoes: readonly string[];
}

/** Tells the rotation of an authority, and says that it took it. Throws BadInput when it refuses, NoWorker, and what `withClient` throws. */
export async function intervene(command: Command, authority: string, given: Intervention): Promise<void> {
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
