import type { Fingerprint } from './certificate.js';
import type { Expiring, Step } from './expiry.js';

/**
 * What was told, to whom: the record that lets every certificate and step be told once by each notifier, whatever restarts
 * and however often the watch runs. A run claims what it is about to tell before it tells it:
 *
 *     nothing, or a step with more time left    claim: told by this run
 *     claimed by this run                       told again only by its own retry, which has told nobody yet
 *     claimed by another run                    nothing to do
 *     the notifier failed for good              release: the next run tells it
 *     that run ended by itself                  settle: told, and no run's any more
 *     that run was terminated or cancelled      settle: it is taken to have told nobody, the next run tells it
 *
 * Where several steps were missed, only the most urgent is told. A run tells each notifier of so many certificates at most,
 * the most urgent first; the next run goes on.
 */
export const mostAtOnce = 100;

/** See above. Changed only by compare-and-set, only by the functions below. */
export interface NoticeRecord {
  /** By notifier. */
  readonly told: Readonly<Record<string, Readonly<Record<Fingerprint, Claim>>>>;
}

/** A run of the watch. */
export interface Run {
  readonly workflowId: string;
  readonly runId: string;
}

interface Claim {
  readonly step: Step;
  /** Run that tells it; absent once it is known to have ended. */
  readonly run?: Run;
  /** RFC 3339; what has expired and is seen no more can be forgotten. */
  readonly notAfter: string;
}

export const nothingTold: NoticeRecord = { told: {} };

export interface ToTell {
  readonly notifier: string;
  readonly run: Run;
  /** What the notifier is to hear of, most urgent first. */
  readonly expiring: readonly Expiring[];
}

/** What is left to tell. */
export function untold(record: NoticeRecord, { notifier, run, expiring }: ToTell): readonly Expiring[] {
  const open = expiring.filter(({ certificate, step }) => {
    const claim = record.told[notifier]?.[certificate.fingerprint];
    return !claim || step < claim.step || (step === claim.step && claim.run?.runId === run.runId);
  });
  return open.slice(0, mostAtOnce);
}

/** The same record when there is nothing new to claim. */
export function claim(record: NoticeRecord, toTell: ToTell): NoticeRecord {
  const { notifier, run } = toTell;
  const told = record.told[notifier] ?? {};
  const fresh = untold(record, toTell).filter(({ certificate, step }) => told[certificate.fingerprint]?.step !== step);
  if (fresh.length === 0) return record;
  const claims = fresh.map(({ certificate: { fingerprint, notAfter }, step }) => [
    fingerprint,
    { step, run, notAfter },
  ]);
  return { told: { ...record.told, [notifier]: { ...told, ...Object.fromEntries(claims) } } };
}

/** The notifier could not be reached: what this run claimed for it is open again. */
export function release(record: NoticeRecord, { notifier, run }: Pick<ToTell, 'notifier' | 'run'>): NoticeRecord {
  return keepOnly(record, (name, _fingerprint, { run: owner }) => name !== notifier || owner?.runId !== run.runId);
}

/** Runs that may still have something to tell. */
export function openRuns({ told }: NoticeRecord): readonly Run[] {
  const runs = Object.values(told).flatMap((claims) => Object.values(claims).flatMap(({ run }) => run ?? []));
  return [...new Map(runs.map((run) => [run.runId, run])).values()];
}

/** What is known by now of the runs that claimed, by their run ids: `told` are theirs no more, `lost` are open again. */
export function settle(record: NoticeRecord, ends: ReadonlyMap<string, 'told' | 'lost'>): NoticeRecord {
  const left = keepOnly(record, (_notifier, _fingerprint, { run }) => ends.get(run?.runId ?? '') !== 'lost');
  if (!openRuns(left).some(({ runId }) => ends.has(runId))) return left;
  const settled = ({ run, ...claim }: Claim): Claim => (run && !ends.has(run.runId) ? { run, ...claim } : claim);
  const told = Object.entries(left.told).map(([notifier, claims]) => [
    notifier,
    Object.fromEntries(Object.entries(claims).map(([fingerprint, claim]) => [fingerprint, settled(claim)])),
  ]);
  return { told: Object.fromEntries(told) as NoticeRecord['told'] };
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
  readonly fingerprints: ReadonlySet<Fingerprint>;
  readonly now: Date;
}

/** Drops what can never be told again: notifiers that are gone, and certificates that are gone and have expired. */
export function forget(record: NoticeRecord, { notifiers, fingerprints, now }: Seen): NoticeRecord {
  return keepOnly(
    record,
    (notifier, fingerprint, { notAfter }) =>
      notifiers.includes(notifier) && (fingerprints.has(fingerprint) || Date.parse(notAfter) > now.getTime()),
  );
}

/** The same record when all is kept. */
function keepOnly(
  record: NoticeRecord,
  keeps: (notifier: string, fingerprint: Fingerprint, claim: Claim) => boolean,
): NoticeRecord {
  let dropped = false;
  const told = Object.entries(record.told).map(([notifier, claims]) => {
    const all = Object.entries(claims);
    const kept = all.filter(([fingerprint, one]) => keeps(notifier, fingerprint, one));
    dropped ||= kept.length < all.length;
    return [notifier, Object.fromEntries(kept)] as const;
  });
  return dropped ? { told: Object.fromEntries(told.filter(([, claims]) => Object.keys(claims).length > 0)) } : record;
}
