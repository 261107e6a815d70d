import { authoritiesOf, expiring, expiryText, rotationsDue, type Expiring } from '../domain/expiry.js';
import { RotationError } from '../domain/failures.js';
import { findingsText, type Finding } from '../domain/findings.js';
import { entries, expiryScheduleId } from '../domain/ids.js';
import {
  claim,
  forget,
  isToTell,
  markTold,
  newsOfExpiry,
  newsOfFinding,
  nothingTold,
  openRuns,
  parseNoticeRecord,
  release,
  settle,
  untold,
  type Claimed,
  type News,
  type NoticeRecord,
  type Run,
} from '../domain/notices.js';
import { notifiersFor, type Message, type Notification, type NotificationEvent } from '../domain/notification.js';
import type { CaRotationRequest, LeafRotationRequest } from '../domain/rotation.js';
import type { Sent } from '../notifiers/notifier.js';
import { statusOf } from '../temporal/running.js';
import type { RunCutShort } from './audit.js';
import type { Dependencies } from './dependencies.js';
import { lookEverywhere, type Seen } from './lookout.js';
import { subscriptions } from './notify.js';

/** One message to one notifier. */
export interface Notice {
  readonly notifier: string;
  readonly message: Message;
  /** What it tells, as the record names it; none where nothing is claimed for it. */
  readonly ids: readonly string[];
}

/** A message of a run to one notifier, and what it tells of what the run claimed. */
export interface Telling extends Claimed {
  readonly notification: Notification;
}

/** What a run of the watch has to do. */
export interface ExpiryTask {
  /** For each notifier that has something to hear; claimed for this run. */
  readonly notices: readonly Notice[];
  /** CA rotations that are to be started: of what is due, and of what was cut short. */
  readonly rotate: readonly CaRotationRequest[];
  /** Targets whose leaf rotation was cut short. */
  readonly rotateLeaves: readonly LeafRotationRequest[];
  /** Rotations whose end is to be put on record, in their order. */
  readonly unrecorded: readonly RunCutShort[];
  /** What could not be looked at, and why. */
  readonly unseen: readonly string[];
}

const races = 5;

export function expiryActivities(deps: Dependencies) {
  /**
   * Looks at every certificate and for what rotations left behind (activities/lookout.ts), and claims what there is to tell.
   * The claim is an entry of the keystore, changed by compare-and-set, rather than state that a workflow carries: it
   * survives a run that is terminated or reset, a schedule that is deleted, and a second run at the same time. It is
   * written before anything is sent, in the activity that decides on what it has just read; from there the workflow
   * carries the messages to their end, and each is put on record as told where it is sent (`tellNotice`). Without a record
   * that can be read people are told of everything, and of that.
   */
  async function takeNotices({ run }: { run: Run }): Promise<ExpiryTask> {
    const seen = await lookEverywhere(deps);
    const unseen = [...seen.unseen];
    const now = deps.now();
    const all = expiring(seen.sightings, deps.config.notices.at, now);
    const toTell = audiences().map(({ notifier, ofExpiry, ofFinding }) => ({
      notifier,
      run,
      news: [
        ...seen.findings.filter(ofFinding).map((one) => newsOfFinding(one, now)),
        ...all.filter(ofExpiry).map(newsOfExpiry),
      ],
    }));
    const claimed = await changeRecord((record) => {
      const kept = unseen.length > 0 ? record : forget(record, seenIn(seen, now));
      return toTell.reduce<NoticeRecord>(claim, kept);
    }, run).catch((error: unknown) => {
      if (!isUnreadable(error)) throw error;
      unseen.push(`the record of what was told: ${error.message}`);
      return undefined;
    });
    const news = toTell.flatMap((one) =>
      noticesOf(one.notifier, untold<Finding | Expiring>(claimed ?? nothingTold, one), now),
    );
    return {
      notices: [
        ...(claimed ? news : news.map((notice) => ({ ...notice, ids: [] }))),
        ...(unseen.length > 0 ? blindNotices(unseen) : []),
      ],
      ...rotationsOf(seen, now),
      unrecorded: seen.unrecorded,
      unseen,
    };
  }

  /**
   * Hands a message over, and puts on record that it is told, so that no other run tells it again, even where this one is
   * terminated at this very moment. Nothing is sent that is on record as told, or that another run has claimed meanwhile: by a
   * retry whose first attempt lost its answer, or of a run that was terminated. At least once: the message goes out again when
   * this worker is killed between the two (with the same id, if by a retry), and when another run looks between the two and finds
   * this run terminated. A record that cannot be written is a warning; the run's own end settles it then.
   */
  async function tellNotice({ notification, ...claimed }: Telling): Promise<Sent> {
    const { notifier, run, ids } = claimed;
    if (ids.length > 0 && !(await hasToTell(claimed))) return { warnings: [] };
    const { warnings } = await deps.notifier(notifier).send(notification);
    if (ids.length === 0) return { warnings };
    const problem = await changeRecord((record) => markTold(record, claimed), run).then(
      () => [],
      (error: Error) => [`${notifier} was told, which is not on record: ${error.message}`],
    );
    return { warnings: [...warnings, ...problem] };
  }

  async function hasToTell(claimed: Claimed): Promise<boolean> {
    const entry = await deps.keystore.get(entries.notices);
    const record = entry && parseNoticeRecord(entry.record);
    return !record || isToTell(record, claimed);
  }

  /** A message was given up: what the run claimed for it is open again, for the next run. */
  async function releaseNotices(claimed: Claimed): Promise<void> {
    await changeRecord((record) => release(record, claimed), claimed.run).catch((error: unknown) => {
      if (!isUnreadable(error)) throw error;
    });
  }

  /** Each notifier, with what concerns it. */
  function audiences() {
    const wanting = (event: NotificationEvent, named: readonly string[] | undefined) =>
      new Set(notifiersFor(subscriptions(deps.config, named), event));
    const ofAuthority = (authority: string, event: NotificationEvent) =>
      wanting(event, deps.config.authorities[authority]?.notify);
    const foreign = wanting('expiry', deps.config.notices.notify);
    return Object.keys(deps.config.notifiers).map((notifier) => ({
      notifier,
      ofExpiry: (one: Expiring) => {
        const concerned = authoritiesOf(one);
        return concerned.length === 0
          ? foreign.has(notifier)
          : concerned.some((authority) => ofAuthority(authority, 'expiry').has(notifier));
      },
      ofFinding: ({ authority, event }: Finding) => ofAuthority(authority, event).has(notifier),
    }));
  }

  function seenIn({ sightings, findings }: Seen, now: Date) {
    return {
      now,
      notifiers: Object.keys(deps.config.notifiers),
      ids: new Set([
        ...sightings.map(({ certificate }) => certificate.fingerprint),
        ...findings.map((finding) => newsOfFinding(finding, now).id),
      ]),
    };
  }

  function blindNotices(unseen: readonly string[]): ExpiryTask['notices'] {
    const places = unseen.length === 1 ? 'one place' : `${unseen.length} places`;
    const message: Message = {
      event: 'failed',
      title: `The watch over expiring certificates cannot see ${places}`,
      lines: unseen,
      commands: ['cert-rotation validate'],
    };
    const told = notifiersFor(subscriptions(deps.config, deps.config.notices.notify), 'failed');
    return told.map((notifier) => ({ notifier, message, ids: [] }));
  }

  /** Reads, changes and writes the record, by compare-and-set; another run that was quicker is read and decided again. */
  async function changeRecord(change: (record: NoticeRecord) => NoticeRecord, run: Run): Promise<NoticeRecord> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await writeChanged(change, run);
      } catch (error) {
        const lost = error instanceof RotationError && error.type === 'KeystoreConflict';
        if (!lost || attempt >= races) throw error;
      }
    }
  }

  /** Without anything to tell there is no record. */
  async function writeChanged(change: (record: NoticeRecord) => NoticeRecord, run: Run): Promise<NoticeRecord> {
    const entry = await deps.keystore.get(entries.notices);
    const record = entry ? parseNoticeRecord(entry.record) : nothingTold;
    if (!record)
      throw new RotationError(
        'KeystoreUnreadable',
        `Entry ${entries.notices} holds something else: remove it, and people are told of everything once more.`,
      );
    const changed = change(settle(record, await endsOf(openRuns(record), run)));
    if (changed === record) return record;
    const written = { record: changed, owner: `schedule/${expiryScheduleId}` };
    if (entry) await deps.keystore.update(entries.notices, written, entry.version);
    else await deps.keystore.create(entries.notices, written);
    return changed;
  }

  /** Of the runs that claimed before: those that ended. One that nobody knows any more ended long ago. */
  async function endsOf(runs: readonly Run[], own: Run): Promise<ReadonlyMap<string, 'told' | 'lost'>> {
    const ends = new Map<string, 'told' | 'lost'>();
    for (const { workflowId, runId } of runs) {
      const status = runId === own.runId ? 'RUNNING' : await statusOf(deps.client(), workflowId, runId);
      if (status !== 'RUNNING') ends.set(runId, brokenOff.has(status ?? '') ? 'lost' : 'told');
    }
    return ends;
  }

  return { takeNotices, tellNotice, releaseNotices };
}

/** So ends a run that did not come to its end: what it claimed it may not have told. */
const brokenOff: ReadonlySet<string> = new Set(['TERMINATED', 'CANCELLED', 'TIMED_OUT']);

/** What was cut short, and what is due. */
function rotationsOf({ sightings, findings }: Seen, now: Date): Pick<ExpiryTask, 'rotate' | 'rotateLeaves'> {
  const all = findings.flatMap(({ resumes }) => (resumes ? [resumes] : []));
  const cas = all.flatMap((one) => ('authority' in one ? [one] : []));
  const due = rotationsDue(sightings, now).filter((authority) => !cas.some((one) => one.authority === authority));
  return {
    rotate: [...cas, ...due.map((authority) => ({ authority }))],
    rotateLeaves: all.flatMap((one) => ('target' in one ? [one] : [])),
  };
}

function isUnreadable(error: unknown): error is RotationError {
  return error instanceof RotationError && error.type === 'KeystoreUnreadable';
}

function noticesOf(notifier: string, news: readonly News<Finding | Expiring>[], now: Date): ExpiryTask['notices'] {
  const expiries = news.filter((one): one is News<Expiring> => !('id' in one.about));
  const findings = news.filter((one): one is News<Finding> => 'id' in one.about);
  const ofEvent = (event: Finding['event']) => findings.filter(({ about }) => about.event === event);
  const notice = <About>(some: readonly News<About>[], messageOf: (all: readonly About[]) => Message): Notice[] =>
    some.length > 0
      ? [{ notifier, message: messageOf(some.map(({ about }) => about)), ids: some.map(({ id }) => id) }]
      : [];
  return [
    ...(['emergency', 'failed'] as const).flatMap((event) =>
      notice(ofEvent(event), (all) => ({ event, ...findingsText(all) })),
    ),
    ...notice(expiries, (all) => expiryMessage(all, now)),
  ];
}

function expiryMessage(all: readonly Expiring[], now: Date): Message {
  const expired = all.some(({ step }) => step === 0);
  return { event: 'expiry', ...(expired && { severity: 'critical' as const }), ...expiryText(all, now) };
}
