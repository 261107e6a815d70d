import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { Command } from 'commander';
import { caRotationId } from '../domain/ids.js';
import type { Decision } from '../domain/rotation.js';
import { globalOptions, mustHave, print, withClient } from './context.js';
import { BadInput } from './exit.js';

export function addDecideCommands(program: Command): void {
  for (const decision of ['approve', 'reject'] as const) {
    program
      .command(`${decision} <authority>`)
      .description(decision === 'approve' ? 'let the old CA be removed' : 'keep both CAs and end the rotation')
      .requiredOption('--who <who>', 'who decides; recorded as claimed')
      .option('--why <why>', 'the reason, for the record', '')
      .action((authority: string, { who, why }: { who: string; why: string }, command: Command) =>
        decide(command, authority, { decision, who, why }),
      );
  }
}

async function decide(command: Command, authority: string, decision: Decision): Promise<void> {
  const options = globalOptions(command);
  await withClient(options, mustHave('authorities', authority), async (client) => {
    const handle = client.workflow.getHandle(caRotationId(authority));
    try {
      const answer = await handle.executeUpdate<{ accepted: true }, [Decision]>('decideCaRemoval', {
        args: [decision],
      });
      print(
        options.output === 'json'
          ? JSON.stringify(answer)
          : `${caRotationId(authority)}: ${decision.decision} of ${decision.who} taken`,
      );
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError)
        throw new BadInput(`not taken: ${error.cause?.message ?? error.message}`);
      if ((error as Error).name === 'WorkflowNotFoundError')
        throw new BadInput(`${caRotationId(authority)} is not running: nothing to decide`);
      throw error;
    }
  });
}
