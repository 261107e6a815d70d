import type { CommandRate, InProcessRate, IssuingRun } from './issuing.js';
import type { Machine } from './machine.js';
import type { Measured } from './procedure.js';
import { procedures, type ProcedureName, type RotationRun } from './rotations.js';
import { statistic, type Statistic } from './statistic.js';

/** What is measured of each procedure, beside the time of its own that only our leaf rotation has. */
export const measures = [
  'workerDowntimeMs',
  'failedCalls',
  'slowestScheduleToStartMs',
  'slowestBookingMs',
  'seconds',
  'typedCommands',
  'temporalActions',
  'heartbeatsAtMost',
  'bookings',
] as const;
export type MeasureName = (typeof measures)[number];

export type ProcedureStatistics = Readonly<Record<MeasureName, Statistic>> & { readonly ownSeconds?: Statistic };

export interface CommandStatistics extends Omit<CommandRate, 'leavesPerSecond'> {
  readonly leavesPerSecond: Statistic;
}

export interface InProcessStatistics extends Pick<InProcessRate, 'algorithm'> {
  readonly madePerSecond: Statistic;
  readonly leavesPerSecond: Statistic;
  readonly rawPerSecond: Statistic;
  /** What the issuer makes per what `node:crypto` alone does, run by run. */
  readonly share: Statistic;
}

/** What the benchmark writes as JSON. Absent: not measured. */
export interface Report {
  readonly version: 1;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly machine: Machine;
  /** Short measurements, for a smoke test only. */
  readonly quick: boolean;
  /** The load of the last minute before each run. */
  readonly loads: readonly number[];
  readonly rotations?: Readonly<Record<ProcedureName, ProcedureStatistics>>;
  readonly issuing?: {
    readonly commands: readonly CommandStatistics[];
    readonly inProcess: readonly InProcessStatistics[];
  };
  /** What all of it was computed from. */
  readonly runs: { readonly rotations: readonly RotationRun[]; readonly issuing: readonly IssuingRun[] };
}

export type Circumstances = Pick<Report, 'startedAt' | 'endedAt' | 'machine' | 'quick' | 'loads'>;

export function report(circumstances: Circumstances, runs: Report['runs']): Report {
  return {
    version: 1,
    ...circumstances,
    ...(runs.rotations.length > 0 && { rotations: rotationStatistics(runs.rotations) }),
    ...(runs.issuing.length > 0 && { issuing: issuingStatistics(runs.issuing) }),
    runs,
  };
}

function rotationStatistics(runs: readonly RotationRun[]): Record<ProcedureName, ProcedureStatistics> {
  const entries = procedures.map((name) => [name, procedureStatistics(runs.map((run) => run[name]))]);
  return Object.fromEntries(entries) as Record<ProcedureName, ProcedureStatistics>;
}

function procedureStatistics(runs: readonly Measured[]): ProcedureStatistics {
  const of = (name: MeasureName) =>
    statistic(runs.map((run) => (name === 'typedCommands' ? run.typed.length : run[name])));
  const own = runs.flatMap(({ ownSeconds }) => ownSeconds ?? []);
  return {
    ...(Object.fromEntries(measures.map((name) => [name, of(name)])) as Record<MeasureName, Statistic>),
    ...(own.length > 0 && { ownSeconds: statistic(own) }),
  };
}

/** Every run has the same rows in the same order. */
function issuingStatistics(runs: readonly IssuingRun[]): NonNullable<Report['issuing']> {
  const [first] = runs;
  return {
    commands: first!.commands.map((row, index) => ({
      ...row,
      leavesPerSecond: statistic(runs.map(({ commands }) => commands[index]!.leavesPerSecond)),
    })),
    inProcess: first!.inProcess.map(({ algorithm }, index) => {
      const rows = runs.map(({ inProcess }) => inProcess[index]!);
      return {
        algorithm,
        madePerSecond: statistic(rows.map(({ madePerSecond }) => madePerSecond)),
        leavesPerSecond: statistic(rows.map(({ leavesPerSecond }) => leavesPerSecond)),
        rawPerSecond: statistic(rows.map(({ rawPerSecond }) => rawPerSecond)),
        share: statistic(rows.map(({ madePerSecond, rawPerSecond }) => madePerSecond / rawPerSecond)),
      };
    }),
  };
}
