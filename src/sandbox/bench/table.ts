import { algorithms, type ComparedAlgorithm } from './leaf.js';
import { makerNames } from './makers.js';
import type { MeasureName, Report } from './report.js';
import { titles, type ProcedureName } from './rotations.js';
import type { Statistic } from './statistic.js';

/** The report for people: Markdown, so that it reads the same on a terminal and on a page. Median, and in brackets min and max. */
export function tables({ machine, loads, quick, rotations, issuing, runs }: Report): readonly string[] {
  const { cores, processor, memoryGib, platform, node, openssl } = machine;
  return [
    `${cores} cores (${processor}), ${memoryGib} GiB, ${platform}, Node ${node}, OpenSSL ${openssl}`,
    `Load of the last minute before each run: ${loads.join(', ')}${quick ? '. Quick: a smoke test, no measurement' : ''}`,
    ...(rotations ? ['', `Rotations, ${runsOf(runs.rotations)}:`, '', ...rotationTable(rotations)] : []),
    ...(issuing ? ['', `Leaves per second, ${runsOf(runs.issuing)}:`, '', ...issuingTable(issuing)] : []),
  ];
}

const runsOf = ({ length }: readonly unknown[]): string =>
  length === 1 ? 'one run' : `median (min–max) of ${length} runs`;

const columns: readonly ProcedureName[] = ['leafByHand', 'leaf', 'caByHand', 'ca', 'steady'];

const rows: readonly (readonly [title: string, measure: MeasureName | 'ownSeconds', digits: number])[] = [
  ['worker downtime, ms', 'workerDowntimeMs', 0],
  ['failed calls', 'failedCalls', 0],
  ['slowest schedule-to-start, ms', 'slowestScheduleToStartMs', 0],
  ['slowest booking, ms', 'slowestBookingMs', 0],
  ['seconds', 'seconds', 1],
  ['of which its own', 'ownSeconds', 2],
  ['commands typed', 'typedCommands', 0],
  ['Temporal actions', 'temporalActions', 0],
  ['heartbeats, at most', 'heartbeatsAtMost', 0],
  ['bookings meanwhile', 'bookings', 0],
];

function rotationTable(rotations: NonNullable<Report['rotations']>): readonly string[] {
  const cells = rows.map(([title, measure, digits]) => [
    title,
    ...columns.map((name) => cell(rotations[name][measure], digits)),
  ]);
  return table(['', ...columns.map((name) => titles[name])], cells);
}

function issuingTable({ commands, inProcess }: NonNullable<Report['issuing']>): readonly string[] {
  const ofTool = makerNames.flatMap((tool) => {
    const made = commands.filter((row) => row.tool === tool);
    const rate = (algorithm: ComparedAlgorithm) => made.find((row) => row.algorithm === algorithm)?.leavesPerSecond;
    const title = tool === 'built-in' ? 'built-in: ' : '';
    return made[0] ? [[`${title}${made[0].commands}`, ...algorithms.map((algorithm) => cell(rate(algorithm), 1))]] : [];
  });
  const inside = (title: string, pick: (row: (typeof inProcess)[number]) => string) => [
    title,
    ...algorithms.map((algorithm) => pick(inProcess.find((row) => row.algorithm === algorithm)!)),
  ];
  return table(
    ['', ...algorithms],
    [
      ...ofTool,
      inside('`node:crypto` alone, in process', ({ rawPerSecond }) => cell(rawPerSecond, 1)),
      inside('built-in, in process: made', ({ madePerSecond }) => cell(madePerSecond, 1)),
      inside('built-in, made: share of `node:crypto` alone, %', ({ share }) => cell(percent(share), 0)),
      inside('built-in, in process: made and checked', ({ leavesPerSecond }) => cell(leavesPerSecond, 1)),
    ],
  );
}

const percent = ({ min, median, max }: Statistic): Statistic => ({
  min: 100 * min,
  median: 100 * median,
  max: 100 * max,
});

function cell(value: Statistic | undefined, digits: number): string {
  if (!value) return '';
  const [min, median, max] = [value.min, value.median, value.max].map((one) => one.toFixed(digits));
  return min === max ? median! : `${median} (${min}–${max})`;
}

function table(header: readonly string[], lines: readonly (readonly string[])[]): readonly string[] {
  const widths = header.map((title, column) => Math.max(3, title.length, ...lines.map((line) => line[column]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text, column) => text.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...lines.map(line)];
}
