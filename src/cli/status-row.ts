import { short, type CertificateFacts } from '../domain/certificate.js';
import type { Evidence } from '../domain/evidence.js';
import type { CaPlan } from '../domain/rotation.js';
import type { Step, Told } from '../temporal/history.js';

/** One line of the table: what is known of the last rotation of an authority or target, from its history alone. */
export interface StatusRow {
  readonly workflowId: string;
  /** `none known`: never rotated, or longer ago than the namespace keeps histories. */
  readonly outcome: Told['outcome'] | 'none known';
  readonly phase: string;
  /** The step under way, what it waits for, or how it ended. */
  readonly now: string;
  /** RFC 3339. */
  readonly at?: string;
  readonly notAfter?: string;
}

export function toRow(workflowId: string, told: Told | undefined): StatusRow {
  if (!told) return { workflowId, outcome: 'none known', phase: '', now: '' };
  const { notAfter } = (told.result ?? {}) as { notAfter?: string };
  return {
    workflowId,
    outcome: told.outcome,
    phase: told.outcome !== 'running' ? '' : asksAPerson(told) ? 'approve' : (lastStep(told)?.phase ?? ''),
    now: nowOf(workflowId, told),
    at: told.at,
    ...(notAfter && { notAfter }),
  };
}

/**
 * Goes on beside the steps of a rotation: people are told and waited for, a signature is verified, an emergency is put on record and
 * looked at, an abort is considered.
 */
const beside = ['notify', 'verifyApproval', 'compareTrust', 'declareCompromised', 'gatherExposure', 'abortFacts'];

/** The step that the rotation is at. */
function lastStep({ steps }: Told): Step | undefined {
  return steps.findLast(({ activity }) => !beside.includes(activity)) ?? steps.at(-1);
}

/** After the evidence is gathered the only timer is that of the approval. */
export function asksAPerson(told: Told): boolean {
  return removalAsked(told) !== undefined;
}

/** What a rotation that waits for an approval asks. */
export interface AskedRemoval {
  readonly evidence: Evidence;
  /** The CA to be removed. */
  readonly old: CertificateFacts;
  readonly plan: CaPlan;
}

/** Read from the history alone; undefined when nothing is asked. */
export function removalAsked(told: Told): AskedRemoval | undefined {
  const step = lastStep(told);
  const { gatherEvidence, issueCa, resolveCaRotation } = told.results;
  const { old } = (issueCa ?? {}) as { old?: CertificateFacts };
  if (told.outcome !== 'running' || !told.waiting || step?.activity !== 'gatherEvidence' || step.state !== 'done')
    return undefined;
  const evidence = gatherEvidence as Evidence;
  return old && evidence.complete ? { evidence, old, plan: resolveCaRotation as CaPlan } : undefined;
}

/** What a person can do now; empty where there is nothing to do. */
export function nextOf(workflowId: string, told: Told): string {
  if (asksAPerson(told))
    return `cert-rotation approve ${workflowId.slice('ca/'.length)} --who <you> --why <reason>   (or: reject)`;
  if (told.outcome === 'running') return told.steps.length === 0 ? 'start a rotation worker, if none runs' : '';
  return endedWell(told) ? '' : goOn(workflowId, told);
}

function endedWell({ outcome, result }: Told): boolean {
  return outcome === 'completed' && (result as { outcome?: string } | undefined)?.outcome !== 'keptBoth';
}

/** However a rotation ended, the next one goes on from the state that is found. */
function goOn(workflowId: string, { results }: Told): string {
  const [kind, name] = [workflowId.slice(0, workflowId.indexOf('/')), workflowId.slice(workflowId.indexOf('/') + 1)];
  const { ca } = (results['issueCa'] ?? {}) as { ca?: CertificateFacts };
  return `cert-rotation rotate ${kind} ${name}${ca ? `   (goes on with CA ${short(ca.fingerprint)})` : ''}`;
}

/** What a running rotation waits for; undefined while it works. */
export function waitOf(told: Told): string | undefined {
  if (told.outcome !== 'running' || !told.timer || lastStep(told)?.state === 'running') return undefined;
  // Its timer is that of the next reminder, not the deadline.
  if (asksAPerson(told)) return 'a person to decide on the removal of the old CA';
  const { summary = 'time to pass', firesAt } = told.timer;
  return `${summary} (until ${atSecond(firesAt)})`;
}

function nowOf(workflowId: string, told: Told): string {
  const { outcome, failure, children } = told;
  const step = lastStep(told);
  if (outcome !== 'running') return failure ?? nextOf(workflowId, told);
  if (asksAPerson(told)) return `waits for a person: ${nextOf(workflowId, told)}`;
  if (step?.state === 'running') return step.summary;
  const wait = waitOf(told);
  if (wait) return `waits: ${wait}`;
  return children.length > 0 ? `follows ${children.at(-1)}` : (step?.summary ?? 'starting; is a worker running?');
}

/** RFC 3339 to the second. */
export const atSecond = (time: string): string => `${time.slice(0, 19)}Z`;

const columns: readonly (readonly [string, (row: StatusRow) => string])[] = [
  ['ROTATION', ({ workflowId }) => workflowId],
  ['STATE', ({ outcome }) => outcome],
  ['PHASE', ({ phase }) => phase],
  ['VALID UNTIL', ({ notAfter }) => notAfter?.slice(0, 10) ?? ''],
  ['NOW', ({ now }) => now.split('\n')[0]!],
];

export function rowTable(rows: readonly StatusRow[]): readonly string[] {
  return alignedColumns([columns.map(([title]) => title), ...rows.map((row) => columns.map(([, cell]) => cell(row)))]);
}

export function alignedColumns(lines: readonly (readonly string[])[]): readonly string[] {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((cells) => cells[column]!.length)));
  return lines.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}
