import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load.js';
import { caRotationId, leafRotationId } from '../domain/ids.js';
import { tell, type Told } from '../temporal/history.js';
import { globalOptions, print, withClient } from './context.js';
import { BadInput } from './exit.js';

/** One line of the table: what is known of the last rotation of an authority or target, from its history alone. */
export interface StatusRow {
  readonly workflowId: string;
  readonly outcome: Told['outcome'] | 'never rotated';
  readonly phase: string;
  /** The step under way, what it waits for, or how it ended. */
  readonly now: string;
  /** RFC 3339. */
  readonly at?: string;
  readonly notAfter?: string;
}

export function addStatusCommand(program: Command): void {
  program
    .command('status [name]')
    .description('what each rotation does, waits for and came to; refreshes while one runs')
    .option('--once', 'print once and end')
    .action((name: string | undefined, { once }: { once?: boolean }, command: Command) =>
      status(command, name, once ?? false),
    );
}

async function status(command: Command, name: string | undefined, once: boolean): Promise<void> {
  const options = globalOptions(command);
  await withClient(options, checkName(name), async (client, loaded) => {
    const ids = workflowIds(loaded, name);
    for (;;) {
      const rows = await Promise.all(ids.map((id) => rowOf(client, id)));
      if (options.output === 'json') return print(JSON.stringify(rows));
      const live = process.stdout.isTTY && !once && rows.some(({ outcome }) => outcome === 'running');
      if (live) console.clear();
      print(table(rows));
      if (!live) return;
      await wait(2000);
    }
  });
}

function checkName(name: string | undefined): (loaded: LoadedConfig) => void {
  return ({ config, file }) => {
    if (name === undefined || config.authorities[name] || config.targets[name]) return;
    throw new BadInput(`${file} has neither an authority nor a target "${name}"`);
  };
}

function workflowIds({ config }: LoadedConfig, name: string | undefined): readonly string[] {
  const wanted = (names: readonly string[]) => names.filter((other) => name === undefined || other === name);
  return [
    ...wanted(Object.keys(config.authorities)).map(caRotationId),
    ...wanted(Object.keys(config.targets)).map(leafRotationId),
  ];
}

async function rowOf(client: Client, workflowId: string): Promise<StatusRow> {
  try {
    return toRow(workflowId, await tell(client, workflowId));
  } catch (error) {
    if ((error as Error).name !== 'WorkflowNotFoundError') throw error;
    return { workflowId, outcome: 'never rotated', phase: '', now: '' };
  }
}

export function toRow(workflowId: string, told: Told): StatusRow {
  const step = told.steps.at(-1);
  const { notAfter } = (told.result ?? {}) as { notAfter?: string };
  return {
    workflowId,
    outcome: told.outcome,
    phase:
      told.outcome === 'running'
        ? told.waiting && step?.activity === 'gatherEvidence'
          ? 'approve'
          : (step?.phase ?? '')
        : '',
    now: nowOf(told),
    at: told.at,
    ...(notAfter && { notAfter }),
  };
}

function nowOf({ outcome, steps, waiting, failure, children }: Told): string {
  const step = steps.at(-1);
  if (outcome !== 'running') return failure ?? '';
  if (step?.state === 'running') return step.summary;
  if (waiting)
    return step?.activity === 'gatherEvidence' ? 'waits for a person: cert-rotation approve' : 'waits for time to pass';
  return children.length > 0 ? `follows ${children.at(-1)}` : (step?.summary ?? 'starting; is a worker running?');
}

function table(rows: readonly StatusRow[]): string {
  const header = ['ROTATION', 'STATE', 'PHASE', 'VALID UNTIL', 'NOW'];
  const cells = rows.map(({ workflowId, outcome, phase, notAfter, now }) => [
    workflowId,
    outcome,
    phase,
    notAfter?.slice(0, 10) ?? '',
    now,
  ]);
  const widths = header.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]!.length)));
  return [header, ...cells]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
