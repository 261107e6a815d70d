import { ScheduleNotFoundError, type Client, type ScheduleDescription } from '@temporalio/client';
import { Argument, type Command } from 'commander';
import type { LoadedConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { expiryScheduleId, leafScheduleId } from '../domain/ids.js';
import { applySchedules, triggerSchedule } from '../temporal/schedules.js';
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
  readonly run: (client: Client, schedule: string, loaded: LoadedConfig) => Promise<Answer>;
}

const schedules = { leaf: leafScheduleId, expiry: expiryScheduleId } as const;

const cronOf = (schedule: string, { schedule: { cron }, notices }: Config): string =>
  schedule === leafScheduleId ? cron : notices.cron;

/** What is done to one of the two schedules. */
const verbs: Readonly<Record<string, Verb>> = {
  show: {
    description: 'when it ran and when it will',
    run: (client, schedule, { config }) => show(client, schedule, config),
  },
  trigger: {
    description: 'run it now, unless it is running',
    run: async (client, schedule) => {
      await triggerSchedule(client, schedule);
      return { document: { schedule, triggered: true }, lines: [`${schedule} triggered: cert-rotation status`] };
    },
  },
  pause: {
    description: 'no runs until it is resumed; certificates go on ageing',
    run: async (client, schedule) => {
      await client.schedule.getHandle(schedule).pause('paused by cert-rotation');
      return { document: { schedule, paused: true }, lines: [`${schedule} paused; certificates go on ageing`] };
    },
  },
  resume: {
    description: 'run again as scheduled',
    run: async (client, schedule) => {
      await client.schedule.getHandle(schedule).unpause('resumed by cert-rotation');
      return { document: { schedule, paused: false }, lines: [`${schedule} resumed`] };
    },
  },
  delete: {
    description: 'remove it; running rotations go on',
    run: async (client, schedule) => {
      await client.schedule.getHandle(schedule).delete();
      return { document: { schedule, deleted: true }, lines: [`${schedule} deleted; running rotations go on`] };
    },
  },
};

export function addScheduleCommands(program: Command): void {
  const parent = program.command('schedule').description('the schedules of the leaf rotation and of the expiry watch');
  const apply = parent
    .command('apply')
    .description('create both, or bring them up to date; a paused one stays paused')
    .action((_options, command: Command) => work(command, applyBoth));
  withExamples(apply, 'schedule apply');
  const which = new Argument('[schedule]', 'which one').choices(Object.keys(schedules)).default('leaf');
  for (const [name, { description, run }] of Object.entries(verbs)) {
    const command = parent
      .command(name)
      .description(description)
      .addArgument(which)
      .action((chosen: keyof typeof schedules, _options, self: Command) =>
        work(self, (client, loaded) => run(client, schedules[chosen], loaded)),
      );
    withExamples(command, `schedule ${name}`, `schedule ${name} expiry`);
  }
  withExamples(parent, 'schedule apply', 'schedule show', 'schedule pause');
}

async function work(command: Command, run: (client: Client, loaded: LoadedConfig) => Promise<Answer>): Promise<void> {
  const options = globalOptions(command);
  await withClient(
    options,
    () => undefined,
    async (client, loaded) => {
      const { document, lines } = await run(client, loaded).catch(explainMissing);
      answer(options, document, lines);
    },
  );
}

async function applyBoth(client: Client, { config }: LoadedConfig): Promise<Answer> {
  const applied = Object.entries(await applySchedules(client, config));
  const told = await Promise.all(
    applied.map(async ([schedule, how]) => {
      const { state } = await client.schedule.getHandle(schedule).describe();
      const line = `${schedule} ${how}: ${cronOf(schedule, config)} (${config.schedule.timezone})`;
      return { document: { schedule, applied: how, paused: state.paused }, line };
    }),
  );
  return {
    document: told.map(({ document }) => document),
    lines: told.flatMap(({ document, line }) =>
      document.paused ? [line, 'It is paused: cert-rotation schedule resume'] : [line],
    ),
  };
}

async function show(client: Client, schedule: string, config: Config): Promise<Answer> {
  const { spec, state, info } = await client.schedule.getHandle(schedule).describe();
  const cron = (spec.calendars ?? []).flatMap(({ comment }) => comment || []);
  const running = info.runningActions.map(({ workflow }) => workflow.workflowId);
  const recent = info.recentActions.map(({ takenAt, action }) => ({
    takenAt: takenAt.toISOString(),
    workflowId: action.workflow.workflowId,
  }));
  const next = info.nextActionTimes.slice(0, 3).map((time) => time.toISOString());
  const { timezone = 'UTC' } = spec;
  const wanted = { cron: cronOf(schedule, config), timezone: config.schedule.timezone };
  const upToDate = cron.join() === wanted.cron && timezone === wanted.timezone;
  return {
    document: { schedule, paused: state.paused, note: state.note, cron, timezone, upToDate, next, running, recent },
    lines: [
      `${schedule}: ${stateOf(state)}`,
      `When:    ${cron.join(', ')} (${timezone})`,
      ...(upToDate
        ? []
        : [`         the configuration says ${wanted.cron} (${wanted.timezone}): cert-rotation schedule apply`]),
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
