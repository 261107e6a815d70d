import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load.js';
import { caRotationId, leafRotationId } from '../domain/ids.js';
import { tellIfKnown, type Told } from '../temporal/history.js';
import { currentDetails } from '../temporal/live.js';
import { answer, globalOptions, withClient, withExamples } from './context.js';
import { BadInput } from './exit.js';
import { Screen } from './screen.js';
import { detailLines, detailOf, noWorkerLine } from './status-detail.js';
import { rowTable, toRow } from './status-row.js';

const refreshEveryMs = 2000;

interface View {
  /** For `-o json`. */
  readonly document: unknown;
  readonly lines: readonly string[];
  readonly running: boolean;
}

export function addStatusCommand(program: Command): void {
  const command = program
    .command('status [name]')
    .description('what each rotation does, waits for and came to; with a name, step by step; costs no billed action')
    .option('--once', 'print once, also on a terminal and while a rotation runs')
    .action((name: string | undefined, { once }: { once?: boolean }, self: Command) =>
      status(self, name, once ?? false),
    );
  withExamples(command, 'status', 'status temporal-booking', 'status -o json');
}

/** On a terminal the view is drawn anew while a rotation runs; otherwise it is printed once. */
async function status(command: Command, name: string | undefined, once: boolean): Promise<void> {
  const options = globalOptions(command);
  await withClient(options, checkName(name), async (client, loaded) => {
    const histories = new Histories(client, workflowIds(loaded, name));
    const look = () => (name === undefined ? tableView(client, histories) : detailView(client, histories));
    const screen = new Screen();
    for (let view = await look(); ; view = await look()) {
      const live = process.stdout.isTTY && !once && options.output === 'text' && view.running;
      if (!live && screen.isClean) return answer(options, view.document, view.lines);
      screen.draw(view.lines);
      if (!live) return;
      await wait(refreshEveryMs);
    }
  });
}

function checkName(name: string | undefined): (loaded: LoadedConfig) => void {
  return ({ config: { authorities, targets }, file }) => {
    if (name === undefined || Object.hasOwn(authorities, name) || Object.hasOwn(targets, name)) return;
    const known = [...Object.keys(authorities), ...Object.keys(targets)].join(', ') || 'none';
    throw new BadInput(`${file} has neither an authority nor a target "${name}". It has: ${known}`);
  };
}

function workflowIds({ config }: LoadedConfig, name: string | undefined): readonly string[] {
  const wanted = (names: readonly string[]) => names.filter((other) => name === undefined || other === name);
  return [
    ...wanted(Object.keys(config.authorities)).map(caRotationId),
    ...wanted(Object.keys(config.targets)).map(leafRotationId),
  ];
}

interface Rotation {
  readonly id: string;
  /** Undefined where none is known. */
  readonly told: Told | undefined;
}

/** The last rotation of each id. A history that has ended is not read again, unless its id runs again. */
class Histories {
  readonly #client: Client;
  readonly #ids: readonly string[];
  readonly #ended = new Map<string, Told>();

  constructor(client: Client, ids: readonly string[]) {
    this.#client = client;
    this.#ids = ids;
  }

  async read(): Promise<readonly Rotation[]> {
    const running = new Set<string>();
    const query = 'ExecutionStatus = "Running" AND WorkflowType IN ("caRotation", "leafRotation")';
    for await (const { workflowId } of this.#client.workflow.list({ query })) running.add(workflowId);
    return Promise.all(
      this.#ids.map(async (id) => ({
        id,
        told: (running.has(id) ? undefined : this.#ended.get(id)) ?? (await this.#tell(id)),
      })),
    );
  }

  async #tell(id: string): Promise<Told | undefined> {
    const told = await tellIfKnown(this.#client, id);
    if (told && told.outcome !== 'running') this.#ended.set(id, told);
    return told;
  }
}

async function tableView(client: Client, histories: Histories): Promise<View> {
  const rotations = await histories.read();
  const rows = rotations.map(({ id, told }) => toRow(id, told));
  const running = rows.find(({ outcome }) => outcome === 'running');
  const workerAnswers = running === undefined || (await currentDetails(client, running.workflowId)) !== undefined;
  return {
    document: rows,
    lines: [...rowTable(rows), ...(workerAnswers ? [] : ['', noWorkerLine])],
    running: running !== undefined,
  };
}

async function detailView(client: Client, histories: Histories): Promise<View> {
  const rotations = await histories.read();
  const details = await Promise.all(rotations.map(({ id, told }) => detailOf(client, id, told)));
  return {
    document: details,
    lines: details.flatMap((detail, index) => [...(index > 0 ? [''] : []), ...detailLines(detail)]),
    running: details.some(({ outcome }) => outcome === 'running'),
  };
}
