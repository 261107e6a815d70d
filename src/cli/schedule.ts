import { ScheduleNotFoundError, type Client, type ScheduleDescription } from '@temporalio/client';
import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load.js';
import { expiryScheduleId, leafScheduleId } from '../domain/ids.js';
import { applySchedules, triggerLeafSchedule } from '../temporal/schedules.js';
import { answer, globalOptions, withClient, withExamples } from './context.js';
import { BadInput } from './exit.js';
import { atSecond } from './status-row.js';

interface Answer {
  /** For `-o json`. */
  readonly document: object;
  readonly lines: readonly string[];
}

interface Verb {
  readonly description: string;
  readonly run: (client: Client, loaded: LoadedConfig) => Promise<Answer>;
}

const schedule = leafScheduleId;
const handleOf = (client: Client) => client.schedule.getHandle(schedule);

const verbs: Readonly<Record<string, Verb>> = {
  apply: {
    description:
      'create the schedules (leaf rotation, expiry watch), or bring them up to date; a paused one stays paused',
    run: async (client, { config }) => {
      const applied = await applySchedules(client, config);
      const { state } = await handleOf(client).describe();
      const { timezone } = config.schedule;
      const lines = [
        `${schedule} ${applied[schedule]}: ${config.schedule.cron} (${timezone})`,
        ...(state.paused ? ['It is paused: cert-rotation schedule resume'] : []),
        `${expiryScheduleId} ${applied[expiryScheduleId]}: ${config.notices.cron} (${timezone})`,
      ];
      const expiry = { schedule: expiryScheduleId, applied: applied[expiryScheduleId] };
      return { document: { schedule, applied: applied[schedule], paused: state.paused, expiry }, lines };
    },
  },
  show: { description: 'when it ran and when it will', run: show },
  trigger: {
    description: 'run it now, unless it is running',
    run: async (client) => {
      await triggerLeafSchedule(client);
      return { document: { schedule, triggered: true }, lines: [`${schedule} triggered: cert-rotation status`] };
    },
  },
  pause: {
    description: 'no runs until it is resumed; certificates go on ageing',
    run: async (client) => {
      await handleOf(client).pause('paused by cert-rotation');
      return { document: { schedule, paused: true }, lines: [`${schedule} paused; certificates go on ageing`] };
    },
  },
  resume: {
    description: 'run again as scheduled',
    run: async (client) => {
      await handleOf(client).unpause('resumed by cert-rotation');
      return { document: { schedule, paused: false }, lines: [`${schedule} resumed`] };
    },
  },
  delete: {
    description: 'remove the schedule; running rotations go on',
    run: async (client) => {
      await handleOf(client).delete();
      return { document: { schedule, deleted: true }, lines: [`${schedule} deleted; running rotations go on`] };
    },
  },
};

export function addScheduleCommands(program: Command): void {
  const parent = program.command('schedule').description('the schedule of the leaf rotation');
  for (const [name, { description, run }] of Object.entries(verbs)) {
    const command = parent
      .command(name)
      .description(description)
      .action(async (_options, self: Command) => {
        const options = globalOptions(self);
        await withClient(
          options,
          () => undefined,
          async (client, loaded) => {
            const { document, lines } = await run(client, loaded).catch(explainMissing);
            answer(options, document, lines);
          },
        );
      });
    withExamples(command, `schedule ${name}`);
  }
  withExamples(parent, 'schedule apply', 'schedule show', 'schedule pause');
}

async function show(client: Client, { config }: LoadedConfig): Promise<Answer> {
  const { spec, state, info } = await handleOf(client).describe();
  const cron = (spec.calendars ?? []).flatMap(({ comment }) => comment || []);
  const running = info.runningActions.map(({ workflow }) => workflow.workflowId);
  const recent = info.recentActions.map(({ takenAt, action }) => ({
    takenAt: takenAt.toISOString(),
    workflowId: action.workflow.workflowId,
  }));
  const next = info.nextActionTimes.slice(0, 3).map((time) => time.toISOString());
  const { timezone = 'UTC' } = spec;
  const upToDate = cron.join() === config.schedule.cron && timezone === config.schedule.timezone;
  return {
    document: { schedule, paused: state.paused, note: state.note, cron, timezone, upToDate, next, running, recent },
    lines: [
      `${schedule}: ${stateOf(state)}`,
      `When:    ${cron.join(', ')} (${timezone})`,
      ...(upToDate
        ? []
        : [`         the configuration says ${config.schedule.cron} (${config.schedule.timezone}): schedule apply`]),
      `Next:    ${state.paused ? 'none while it is paused' : next.map(atSecond).join(', ') || 'none'}`,
      `Running: ${running.join(', ') || 'nothing'}`,
      ...(recent.length === 0 ? ['Recent:  none'] : []),
      ...recent.map(({ takenAt, workflowId }) => `Recent:  ${atSecond(takenAt)}  ${workflowId}`),
    ],
  };
}

function stateOf({ paused, note }: ScheduleDescription['state']): string {
  return `${paused ? 'paused' : 'active'}${note ? ` (${note})` : ''}`;
}

function explainMissing(error: unknown): never {
  throw error instanceof ScheduleNotFoundError
    ? new BadInput('there is no schedule yet: cert-rotation schedule apply')
    : error;
}
