import type { Expiring, Step } from './expiry.js';
import type { Finding } from './findings.js';

/**
 * What was told, to whom: the record that lets every certificate and step, and every finding, be told once by each notifier,
 * whatever restarts and however often the watch runs. A run claims what it is about to tell before it tells it:
 *
 *     nothing, or a step with more time left    claim: told by this run
 *     claimed by this run                       told again only by its own retry, which has told nobody yet
 *     claimed by another run                    nothing to do
 *     a message was taken                       markTold what it was about: no run's any more, whatever becomes of this one
 *     a message was given up                    release what it was about: the next run tells it
 *     that run ended by itself                  settle: what it still claims is told, and no run's any more
 *     that run was terminated or cancelled      settle: what it still claims it has told nobody, the next run tells it
 *
 * So it is at least once: a message that was taken is told again where its run was terminated and the worker killed between the
 * message and the record of it, or while it was on its way when the next run looked.
 *
 * Where several steps were missed, only the most urgent is told. A run tells each notifier of so many certificates at most,
 * the most urgent first; the next run goes on.
 */
export const mostAtOnce = 100;

/** See above. Changed only by compare-and-set, only by the functions below. */
export interface NoticeRecord {
  /** By notifier, then by what it was told of: a certificate's fingerprint, or the id of a finding. */
  readonly told: Readonly<Record<string, Readonly<Record<string, Claim>>>>;
}

/** A run of the watch. */
export interface Run {
  readonly workflowId: string;
  readonly runId: string;
}

interface Claim {
  readonly step: Step;
  /** Run that tells it; absent once it has, or is known to have ended. */
  readonly run?: Run;
  /** RFC 3339; what has expired and is seen no more can be forgotten. */
  readonly notAfter: string;
}

/** Something to tell. */
export interface News<About = unknown> {
  readonly id: string;
  readonly step: Step;
  readonly notAfter: string;
  readonly about: About;
}

export const newsOfExpiry = (one: Expiring): News<Expiring> => ({
  id: one.certificate.fingerprint,
  step: one.step,
  notAfter: one.certificate.notAfter,
  about: one,
});

/** Told once (an emergency: once an hour), and forgotten as soon as it is gone: should it come again, it is news again. */
export const newsOfFinding = (one: Finding, now: Date): News<Finding> => ({
  id: one.event === 'emergency' ? `${one.id}.${now.toISOString().slice(0, 'yyyy-mm-ddThh'.length)}` : one.id,
  step: 0,
  notAfter: new Date(0).toISOString(),
  about: one,
});

export const nothingTold: NoticeRecord = { told: {} };

export interface ToTell<About = unknown> {
  readonly notifier: string;
  readonly run: Run;
  /** What the notifier is to hear of, most urgent first. */
  readonly news: readonly News<About>[];
}

/** What is left to tell. */
export function untold<About>(record: NoticeRecord, { notifier, run, news }: ToTell<About>): readonly News<About>[] {
  const open = news.filter(({ id, step }) => {
    const claim = record.told[notifier]?.[id];
    return !claim || step < claim.step || (step === claim.step && claim.run?.runId === run.runId);
  });
  return open.slice(0, mostAtOnce);
}

/** The same record when there is nothing new to claim. */
export function claim(record: NoticeRecord, toTell: ToTell): NoticeRecord {
  const { notifier, run } = toTell;
  const told = record.told[notifier] ?? {};
  const fresh = untold(record, toTell).filter(({ id, step }) => told[id]?.step !== step);
  if (fresh.length === 0) return record;
  const claims = fresh.map(({ id, step, notAfter }) => [id, { step, run, notAfter }]);
  return { told: { ...record.told, [notifier]: { ...told, ...Object.fromEntries(claims) } } };
}

/** What one message is to tell, as this run claimed it. */
export interface Claimed extends Pick<ToTell, 'notifier' | 'run'> {
  readonly ids: readonly string[];
}

/** Is any of it still this run's to tell? */
export function isToTell({ told }: NoticeRecord, { notifier, run, ids }: Claimed): boolean {
  return ids.some((id) => told[notifier]?.[id]?.run?.runId === run.runId);
}

/** The message was taken: what this run claimed for it is told. */
export function markTold(record: NoticeRecord, { notifier, run, ids }: Claimed): NoticeRecord {
  return disown(record, (name, id, { runId }) => name === notifier && runId === run.runId && ids.includes(id));
}

/** The message was given up: what this run claimed for it is open again. What another message of the run told stays told. */
export function release(record: NoticeRecord, { notifier, run, ids }: Claimed): NoticeRecord {
  return keepOnly(
    record,
    (name, id, { run: owner }) => name !== notifier || owner?.runId !== run.runId || !ids.includes(id),
  );
}

/** Runs that may still have something to tell. */
export function openRuns({ told }: NoticeRecord): readonly Run[] {
  const runs = Object.values(told).flatMap((claims) => Object.values(claims).flatMap(({ run }) => run ?? []));
  return [...new Map(runs.map((run) => [run.runId, run])).values()];
}

/** What is known by now of the runs that claimed, by their run ids: `told` are theirs no more, `lost` are open again. */
export function settle(record: NoticeRecord, ends: ReadonlyMap<string, 'told' | 'lost'>): NoticeRecord {
  const left = keepOnly(record, (_notifier, _id, { run }) => ends.get(run?.runId ?? '') !== 'lost');
  return disown(left, (_notifier, _id, { runId }) => ends.has(runId));
}

/** Undefined when it is no such record. */
export function parseNoticeRecord(value: unknown): NoticeRecord | undefined {
  const isObject = (one: unknown): one is object => typeof one === 'object' && one !== null;
  const { told } = (isObject(value) ? value : {}) as { readonly told?: unknown };
  const claims = isObject(told) ? Object.values(told) : [undefined];
  const isRecord = claims.every((one) => isObject(one) && Object.values(one).every(isObject));
  return isRecord ? (value as NoticeRecord) : undefined;
}

export interface Seen {
  readonly notifiers: readonly string[];
  /** Fingerprints and ids of findings. */
  readonly ids: ReadonlySet<string>;
  readonly now: Date;
}

/** Drops what can never be told again: notifiers that are gone, and what is gone and has expired. */
export function forget(record: NoticeRecord, { notifiers, ids, now }: Seen): NoticeRecord {
  return keepOnly(
    record,
    (notifier, id, { notAfter }) =>
      notifiers.includes(notifier) && (ids.has(id) || Date.parse(notAfter) > now.getTime()),
  );
}

/** The same record when all is kept. */
function keepOnly(record: NoticeRecord, keeps: (notifier: string, id: string, claim: Claim) => boolean): NoticeRecord {
  let dropped = false;
  const told = Object.entries(record.told).map(([notifier, claims]) => {
    const all = Object.entries(claims);
    const kept = all.filter(([id, one]) => keeps(notifier, id, one));
    dropped ||= kept.length < all.length;
    return [notifier, Object.fromEntries(kept)] as const;
  });
  return dropped ? { told: Object.fromEntries(told.filter(([, claims]) => Object.keys(claims).length > 0)) } : record;
}

/** What is told is no run's any more. The same record when nothing is. */
function disown(record: NoticeRecord, isTold: (notifier: string, id: string, run: Run) => boolean): NoticeRecord {
  let changed = false;
  const told = Object.entries(record.told).map(([notifier, claims]) => {
    const left = Object.entries(claims).map(([id, { run, ...claim }]) => {
      if (!run || !isTold(notifier, id, run)) return [id, claims[id]] as const;
      changed = true;
      return [id, claim] as const;
    });
    return [notifier, Object.fromEntries(left)] as const;
  });
  return changed ? { told: Object.fromEntries(told) as NoticeRecord['told'] } : record;
}
