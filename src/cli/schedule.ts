import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load.js';
import { leafScheduleId } from '../domain/ids.js';
import { applyLeafSchedule, triggerLeafSchedule } from '../temporal/schedules.js';
import { globalOptions, print, withClient } from './context.js';
import { BadInput } from './exit.js';

type Verb = (client: Client, loaded: LoadedConfig) => Promise<object>;

const handleOf = (client: Client) => client.schedule.getHandle(leafScheduleId);

const verbs: Readonly<Record<string, { readonly description: string; readonly run: Verb }>> = {
  apply: {
    description: 'create the schedule of the leaf rotation, or bring it up to date',
    run: async (client, { config }) => ({ schedule: leafScheduleId, applied: await applyLeafSchedule(client, config) }),
  },
  show: {
    description: 'when it ran and when it will',
    run: async (client) => {
      const { spec, state, info } = await handleOf(client).describe();
      return {
        schedule: leafScheduleId,
        paused: state.paused,
        calendars: spec.calendars?.map(({ comment }) => comment).filter(Boolean),
        next: info.nextActionTimes.slice(0, 3),
        recent: info.recentActions.map(({ takenAt, action }) => ({ takenAt, workflowId: action.workflow.workflowId })),
      };
    },
  },
  trigger: {
    description: 'run it now, unless it is running',
    run: async (client) => {
      await triggerLeafSchedule(client);
      return { schedule: leafScheduleId, triggered: true };
    },
  },
  pause: {
    description: 'no runs until it is resumed; certificates go on ageing',
    run: async (client) => {
      await handleOf(client).pause('paused by cert-rotation');
      return { schedule: leafScheduleId, paused: true };
    },
  },
  resume: {
    description: 'run again as scheduled',
    run: async (client) => {
      await handleOf(client).unpause('resumed by cert-rotation');
      return { schedule: leafScheduleId, paused: false };
    },
  },
  delete: {
    description: 'remove the schedule; running rotations go on',
    run: async (client) => {
      await handleOf(client).delete();
      return { schedule: leafScheduleId, deleted: true };
    },
  },
};

export function addScheduleCommands(program: Command): void {
  const schedule = program.command('schedule').description('the schedule of the leaf rotation');
  for (const [name, { description, run }] of Object.entries(verbs)) {
    schedule
      .command(name)
      .description(description)
      .action(async (_options, command: Command) => {
        const options = globalOptions(command);
        await withClient(
          options,
          () => undefined,
          async (client, loaded) => {
            const answer = await run(client, loaded).catch(explainMissing);
            print(options.output === 'json' ? JSON.stringify(answer) : text(answer));
          },
        );
      });
  }
}

function explainMissing(error: Error): never {
  throw error.name === 'ScheduleNotFoundError'
    ? new BadInput('there is no schedule yet: cert-rotation schedule apply')
    : error;
}

function text(answer: object): string {
  return Object.entries(answer)
    .map(
      ([key, value]) =>
        `${key}: ${typeof value === 'string' || typeof value === 'boolean' ? value : JSON.stringify(value)}`,
    )
    .join('\n');
}
