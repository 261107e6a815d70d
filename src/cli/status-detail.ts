import type { Client } from '@temporalio/client';
import { exposureLines, type Exposure } from '../domain/emergency.js';
import type { Step, Told } from '../temporal/history.js';
import { currentDetails, pendingActivities, type Pending } from '../temporal/live.js';
import { alignedColumns, atSecond, nextOf, toRow, waitOf, type StatusRow } from './status-row.js';

/** All that is known of one rotation. */
export interface StatusDetail extends StatusRow {
  /** RFC 3339. */
  readonly startedAt?: string;
  readonly steps: readonly Step[];
  readonly waitsFor: string;
  readonly next: string;
  readonly children: readonly string[];
  /** Activities under way, with their last heartbeat and failure. */
  readonly pending: readonly Pending[];
  /** Did a worker answer? */
  readonly worker: 'live' | 'none' | 'not asked';
  /** Of an emergency: what a compromised CA still opened when it was last looked at. */
  readonly exposed: readonly string[];
  /** What the workflow itself says, or said last, by way of the worker: Markdown. */
  readonly details: string;
}

export async function detailOf(client: Client, workflowId: string, told: Told | undefined): Promise<StatusDetail> {
  const running = told?.outcome === 'running';
  const [pending, details] = await Promise.all([
    running ? pendingActivities(client, workflowId) : [],
    told && currentDetails(client, workflowId),
  ]);
  return {
    ...toRow(workflowId, told),
    ...(told && { startedAt: told.startedAt }),
    steps: told?.steps ?? [],
    waitsFor: told ? (waitOf(told) ?? '') : '',
    next: told ? nextOf(workflowId, told) : '',
    children: told?.children ?? [],
    pending,
    worker: !told ? 'not asked' : details === undefined ? 'none' : 'live',
    exposed: exposureLines((told?.results['gatherExposure'] ?? []) as readonly Exposure[]),
    details: details ?? '',
  };
}

export const noWorkerLine = 'No live worker answers: this is from history alone.';

export function detailLines(detail: StatusDetail): readonly string[] {
  const { workflowId, outcome, phase, startedAt, at, notAfter, now, steps, children, worker, details } = detail;
  if (outcome === 'none known') return [`${workflowId}: none known`];
  const times = `started ${atSecond(startedAt!)}${outcome === 'running' ? '' : `, ended ${atSecond(at!)}`}`;
  return [
    `${workflowId}: ${outcome}${phase && `, phase ${phase}`} (${times})`,
    ...(notAfter ? [`Valid until: ${notAfter}`] : []),
    ...(outcome !== 'running' && now && now !== detail.next ? [`Why: ${now}`] : []),
    ...(detail.waitsFor ? [`Waits for: ${detail.waitsFor}`] : []),
    ...(detail.next ? [`Next: ${detail.next}`] : []),
    ...(details ? [] : detail.exposed.map((line) => `EMERGENCY: ${line}`)),
    '',
    ...stepLines(steps, detail.pending),
    ...children.map((child) => `  with ${child}: cert-rotation status ${child.slice(child.indexOf('/') + 1)}`),
    ...(worker === 'none' ? ['', noWorkerLine] : []),
    ...(details ? ['', 'The workflow says:', ...markdownLines(details)] : []),
  ];
}

function markdownLines(details: string): readonly string[] {
  return details.split('\n').map((line) => (line === '' ? '' : `  ${line.replaceAll('**', '')}`));
}

const marks = { running: '…', done: '✓', failed: '✗' } as const;

function stepLines(steps: readonly Step[], pending: readonly Pending[]): readonly string[] {
  if (steps.length === 0) return ['  no step yet'];
  const cells = steps.map(({ state, phase, startedAt, seconds, summary }) => [
    `  ${marks[state]}`,
    startedAt.slice(11, 19),
    seconds === undefined ? '' : `${seconds.toFixed(1)} s`,
    phase,
    summary,
  ]);
  return alignedColumns(cells).flatMap((line, index) => [line, ...below(steps[index]!, pending)]);
}

/** What there is to say about a step beside its line: its last heartbeat, its attempts, its failure. */
function below({ state, activity, failure }: Step, pending: readonly Pending[]): readonly string[] {
  if (failure) return [`      ${failure}`];
  const live = state === 'running' ? pending.find((other) => other.activity === activity) : undefined;
  if (!live) return [];
  return [
    ...(live.progress ? [`      ${live.progress}`] : []),
    ...(live.attempt > 1 ? [`      attempt ${live.attempt}; before: ${live.lastFailure ?? 'no answer'}`] : []),
  ];
}
