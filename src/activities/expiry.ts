import { Context } from '@temporalio/activity';
import type { CertificateFacts } from '../domain/certificate.js';
import {
  authoritiesOf,
  expiring,
  expiryText,
  rotationsDue,
  type Expiring,
  type Sighting,
  type Watched,
} from '../domain/expiry.js';
import { RotationError } from '../domain/failures.js';
import { entries, expiryScheduleId } from '../domain/ids.js';
import {
  claim,
  forget,
  nothingTold,
  openRuns,
  parseNoticeRecord,
  release,
  settle,
  untold,
  type NoticeRecord,
  type Run,
  type ToTell,
} from '../domain/notices.js';
import { notifiersFor, type Message } from '../domain/notification.js';
import { statusOf } from '../temporal/running.js';
import { Authorities } from './authorities.js';
import type { Dependencies } from './dependencies.js';
import { subscriptions } from './notify.js';
import { targetConfig } from './plan.js';

/** What a run of the watch has to do. */
export interface ExpiryTask {
  /** One message per notifier that has something to hear; claimed for this run. */
  readonly notices: readonly { readonly notifier: string; readonly message: Message }[];
  /** Authorities whose rotation is to be started. */
  readonly rotate: readonly string[];
  /** What could not be looked at, and why. */
  readonly unseen: readonly string[];
}

/** A place that does not answer is asked again by so many attempts; then people are told of the others without it. */
const patienceAttempts = 4;
const races = 5;

export function expiryActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);

  /**
   * Looks at every CA in every bundle, every CA of every authority and the leaf of every target, and claims what there is to
   * tell. The claim is an entry of the keystore, changed by compare-and-set, rather than state that a workflow carries: it
   * survives a run that is terminated or reset, a schedule that is deleted, and a second run at the same time. It is
   * written before anything is sent, in the activity that decides on what it has just read; from there the workflow
   * carries the messages to their end. Without a record that can be read people are told of everything, and of that.
   */
  async function takeNotices({ run }: { run: Run }): Promise<ExpiryTask> {
    const { sightings, unseen } = await lookEverywhere();
    const now = deps.now();
    const all = expiring(sightings, deps.config.notices.at, now);
    const toTell = [...audiences()].map(([notifier, hears]) => ({ notifier, run, expiring: all.filter(hears) }));
    const claimed = await changeRecord((record) => {
      const kept = unseen.length > 0 ? record : forget(record, { ...seenIn(sightings), now });
      return toTell.reduce(claim, kept);
    }, run).catch((error: unknown) => {
      if (!isUnreadable(error)) throw error;
      unseen.push(`the record of what was told: ${error.message}`);
      return nothingTold;
    });
    return {
      notices: [
        ...toTell.flatMap((one) => expiryNotice(one.notifier, untold(claimed, one), now)),
        ...(unseen.length > 0 ? blindNotices(unseen) : []),
      ],
      rotate: rotationsDue(sightings, now),
      unseen,
    };
  }

  /** The notifier gave up: what the run claimed for it is open again, for the next run. */
  async function releaseNotices(claims: Pick<ToTell, 'notifier' | 'run'>): Promise<void> {
    await changeRecord((record) => release(record, claims), claims.run).catch((error: unknown) => {
      if (!isUnreadable(error)) throw error;
    });
  }

  async function lookEverywhere(): Promise<{ sightings: readonly Sighting[]; unseen: string[] }> {
    const sightings: Sighting[] = [];
    const unseen: string[] = [];
    for (const [place, look] of places()) {
      Context.current().heartbeat({ line: `looking at ${place}` });
      try {
        sightings.push(...(await look()));
      } catch (error) {
        const last = Context.current().info.attempt >= patienceAttempts;
        if (!(error instanceof RotationError) || (error.retryable && !last)) throw error;
        unseen.push(`${place}: ${error.message}`);
      }
    }
    return { sightings, unseen };
  }

  function places(): readonly (readonly [string, () => Promise<readonly Sighting[]>])[] {
    const { namespaces, authorities: named, targets } = deps.config;
    return [
      ...Object.keys(namespaces).map((name) => [`the bundle of ${name}`, () => inBundle(name)] as const),
      ...Object.keys(named).map((name) => [`authority ${name}`, () => ofAuthority(name)] as const),
      ...Object.keys(targets).map((name) => [`target ${name}`, () => inTarget(name)] as const),
    ];
  }

  async function inBundle(namespace: string): Promise<readonly Sighting[]> {
    const { bundle } = await deps.cloud.readNamespace(namespace);
    return bundle.map((ca) => ({ certificate: watched(ca), place: { kind: 'bundle', namespace } }));
  }

  async function ofAuthority(authority: string): Promise<readonly Sighting[]> {
    const { renewBefore } = authorities.config(authority);
    const { current, next, signing } = await authorities.record(authority);
    const known = [...new Set([current, next, signing].filter((ca) => ca !== undefined))];
    const cas = await Promise.all(known.map((ca) => authorities.certificate(authority, ca)));
    return cas.map((ca, index) => {
      if (!ca)
        throw new RotationError('AuthorityKeyMissing', `The keystore has no CA ${known[index]} of ${authority}.`);
      const place = { kind: 'authority', authority, signing: ca.fingerprint === signing, renewBefore } as const;
      return { certificate: watched(ca), place };
    });
  }

  async function inTarget(target: string): Promise<readonly Sighting[]> {
    const { authority, renew, lifetime } = targetConfig(deps, target);
    const pair = await deps.target(target).read();
    if (!pair) return [];
    const leastLeft = (renew === 'always' ? lifetime : renew.before) - deps.config.schedule.interval;
    return [{ certificate: watched(pair.certificate), place: { kind: 'leaf', target, authority, leastLeft } }];
  }

  /** The notifiers that want to hear of expiry, each with what concerns it. */
  function audiences(): ReadonlyMap<string, (one: Expiring) => boolean> {
    const foreign = new Set(notifiersFor(subscriptions(deps.config, deps.config.notices.notify), 'expiry'));
    const byAuthority = new Map(
      Object.entries(deps.config.authorities).map(([name, { notify }]) => [
        name,
        new Set(notifiersFor(subscriptions(deps.config, notify), 'expiry')),
      ]),
    );
    const hears = (notifier: string) => (one: Expiring) => {
      const concerned = authoritiesOf(one);
      return concerned.length === 0
        ? foreign.has(notifier)
        : concerned.some((authority) => byAuthority.get(authority)?.has(notifier));
    };
    return new Map(Object.keys(deps.config.notifiers).map((notifier) => [notifier, hears(notifier)]));
  }

  function seenIn(sightings: readonly Sighting[]) {
    return {
      notifiers: Object.keys(deps.config.notifiers),
      fingerprints: new Set(sightings.map(({ certificate }) => certificate.fingerprint)),
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
    return told.map((notifier) => ({ notifier, message }));
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

  return { takeNotices, releaseNotices };
}

/** So ends a run that did not come to its end: what it claimed it may not have told. */
const brokenOff: ReadonlySet<string> = new Set(['TERMINATED', 'CANCELLED', 'TIMED_OUT']);

function isUnreadable(error: unknown): error is RotationError {
  return error instanceof RotationError && error.type === 'KeystoreUnreadable';
}

function expiryNotice(notifier: string, all: readonly Expiring[], now: Date): ExpiryTask['notices'] {
  if (all.length === 0) return [];
  const expired = all.some(({ step }) => step === 0);
  const message: Message = { event: 'expiry', ...(expired && { severity: 'critical' }), ...expiryText(all, now) };
  return [{ notifier, message }];
}

/** Only what expiry is told by: certificates of many places would fill a history. */
function watched({ fingerprint, sha1, subject, notBefore, notAfter, isCa }: CertificateFacts): Watched {
  return { fingerprint, sha1, subject, notBefore, notAfter, isCa };
}
