import { cutShort as cutShortEnds, type RotationRecord } from './audit.js';
import { isCompromised, type AuthorityRecord } from './authority.js';
import { short, type CertificateFacts, type Fingerprint } from './certificate.js';
import { exposureLines, isExposed, type Exposure } from './emergency.js';
import { caRotationId, leafRotationId } from './ids.js';
import type { CaRotationRequest, LeafRotationRequest } from './rotation.js';

/**
 * What nobody is at work on and no schedule mends, found from facts, whatever became of the workflow (safety 27): a rotation
 * that was terminated, reset or timed out, a bundle that is not what the records say, a compromised CA that is still trusted.
 * People are told of each once, of an emergency every hour until it is gone. A rotation that was cut short is resumed, too.
 */
export interface Finding {
  /** Of the same thing always the same. */
  readonly id: string;
  readonly authority: string;
  /** That people are told it as. */
  readonly event: 'failed' | 'emergency';
  /** One line. */
  readonly title: string;
  readonly lines: readonly string[];
  readonly command: string;
  /** The rotation that is started again because of it; absent: none is. */
  readonly resumes?: Resumption;
}

export type Resumption = CaRotationRequest | LeafRotationRequest;

/** The last run of a fixed id; `status` as Temporal names it. */
export interface LastRun {
  readonly runId: string;
  readonly status: string;
}

/** What the history tells of a CA rotation that was cut short. */
export interface CutRun {
  /** What it was asked for. */
  readonly request: CaRotationRequest;
  /** A person had it look what an abort would undo, or it was at that: they want it ended, and nothing takes it further. */
  readonly aborting: boolean;
  /** It came to make its CA, or to take up one that was made. */
  readonly made: boolean;
}

/** What the history tells of a leaf rotation that was cut short. */
export interface CutLeafRun {
  readonly request: LeafRotationRequest;
}

/** What is known of an authority whose rotation does not run. */
export interface AuthorityFacts {
  readonly authority: string;
  readonly record: AuthorityRecord;
  /** A CA and everything above it, by the CA: trusting one of them is enough. */
  readonly chains: ReadonlyMap<Fingerprint, readonly Fingerprint[]>;
  /** Undefined: Temporal knows none (any more), or there is nothing to ask for: no next CA, no exposure, no run that was cut short. */
  readonly lastRun: LastRun | undefined;
  /** Absent: it was not cut short, or Temporal does not know. */
  readonly cutRun?: CutRun | undefined;
  /** How its rotations ended. */
  readonly ended: readonly Pick<RotationRecord, 'runId' | 'outcome' | 'endedAt' | 'result'>[];
  /** By namespace; one whose bundle could not be read is absent. */
  readonly bundles: ReadonlyMap<string, readonly CertificateFacts[]>;
  /** What its compromised CAs still open. */
  readonly exposures: readonly Exposure[];
  /** Is a rotation that was cut short started again? */
  readonly resume: boolean;
}

/** A leaf that a rotation left in the keystore. */
export interface StagedFacts {
  readonly entry: string;
  readonly target: string;
  readonly authority: string;
  readonly lastRun: LastRun | undefined;
  /** Absent: it was not cut short, or Temporal does not know. */
  readonly cutRun?: CutLeafRun | undefined;
  /** The CA rotation of its authority runs: it moves the target, or asks people about it. */
  readonly isMoved: boolean;
  readonly resume: boolean;
}

export function findingsOf(facts: AuthorityFacts): readonly Finding[] {
  return [...exposed(facts), ...cutShort(facts), ...cutAtOnce(facts), ...distrusted(facts), ...trustedAgain(facts)];
}

/** Whoever has its key gets in, and no rotation is about to end that: nobody started one, or it ended otherwise (safety 43). */
function exposed({ authority, record, lastRun, exposures }: AuthorityFacts): readonly Finding[] {
  const isOfCurrent = record.current !== undefined && isCompromised(record, record.current);
  return exposures
    .filter((exposure) => isExposed([exposure]))
    .map((exposure) => ({
      id: `exposed.${authority}.${exposure.ca}`,
      authority,
      event: 'emergency',
      title: `CA ${short(exposure.ca)} of ${authority} is compromised and still trusted`,
      lines: [
        ...exposureLines([exposure]),
        `Nobody is at work on it: ${caRotationId(authority)} does not run${fate(lastRun)}.`,
      ],
      // An emergency names the CA in use: where that one is clean, an ordinary rotation takes the compromised one out.
      command: isOfCurrent
        ? `cert-rotation emergency ca ${authority} --who <you> --why <reason>`
        : `cert-rotation rotate ca ${authority}`,
    }));
}

/** One that ended by itself told people then, and its end is on record for longer than Temporal knows the run. */
function cutShort({ authority, record, lastRun, cutRun, ended, resume }: AuthorityFacts): readonly Finding[] {
  const { next, rotation } = record;
  const resumes = resume ? resumptionOf(record, cutRun) : undefined;
  const owner = ended.find(({ runId }) => runId !== undefined && runId === rotation);
  const endedByItself = lastRun ? !wasCutShort(lastRun) : owner !== undefined && !isCutShort(owner.outcome);
  if (next === undefined || endedByItself) return [];
  return [
    {
      id: `cut-short.${authority}.${next}.${rotation ?? ''}`,
      authority,
      event: 'failed',
      title: `The CA rotation of ${authority} was cut short`,
      lines: [
        `${caRotationId(authority)} does not run${fate(lastRun)}.`,
        stateOf(record, next),
        resumes
          ? `It is started again now and goes on with CA ${short(next)}; it makes no other. To end it instead: cert-rotation abort ${authority}.`
          : `A rotation that is started now goes on with CA ${short(next)}; it makes no other.`,
        ...(cutRun?.aborting || record.retiring === next
          ? [`It was being aborted: start it, and then cert-rotation abort ${authority} once more.`]
          : []),
      ],
      command: resumes ? `cert-rotation status ${authority}` : `cert-rotation rotate ca ${authority}`,
      ...(resumes && { resumes }),
    },
  ];
}

/** Before it had changed anything: people are told, and nothing is half done that would have to be resumed. */
function cutAtOnce({ authority, record, lastRun, cutRun }: AuthorityFacts): readonly Finding[] {
  if (record.next !== undefined || !lastRun || !cutRun || cutRun.made) return [];
  return [
    {
      id: `cut-short.${authority}.${lastRun.runId}`,
      authority,
      event: 'failed',
      title: `The CA rotation of ${authority} was cut short`,
      lines: [`${caRotationId(authority)} does not run${fate(lastRun)}.`, 'It had changed nothing.'],
      command: `cert-rotation rotate ca ${authority}`,
    },
  ];
}

/**
 * As it was asked for: whoever started it is still no one who may approve it. An emergency stays one for the CA in use, which is
 * marked already; a next CA that leaked is so no longer. Undefined: that is for people. Nobody knows what it was asked for, it was
 * being aborted, or the emergency was declared to it while it ran.
 */
function resumptionOf(record: AuthorityRecord, cutRun: CutRun | undefined): CaRotationRequest | undefined {
  if (!cutRun || cutRun.aborting || record.retiring === record.next) return undefined;
  const { emergency, ...request } = cutRun.request;
  const isLeaked = record.current !== undefined && isCompromised(record, record.current);
  if (!isLeaked) return request;
  return emergency && { ...request, emergency: { ...emergency, leaked: 'current' } };
}

function stateOf({ current, signing, retiring }: AuthorityRecord, next: Fingerprint): string {
  if (signing !== next) return `CA ${short(next)} was made; leaves still come from CA ${short(signing ?? '')}.`;
  const old = current === undefined ? 'no other CA' : `CA ${short(current)}`;
  return retiring === undefined
    ? `CA ${short(next)} signs leaves; ${old} is still to be removed.`
    : `CA ${short(next)} signs leaves; the removal of ${old} had begun, and no leaf of it is delivered any more.`;
}

const isCutShort = (outcome: RotationRecord['outcome']): boolean => cutShortEnds.some((end) => end === outcome);

/** Neither the workflow nor anybody in it could say a last word. */
export function wasCutShort({ status }: LastRun): boolean {
  return status === 'TERMINATED' || status === 'TIMED_OUT';
}

function fate(lastRun: LastRun | undefined): string {
  return lastRun ? ` (its last run: ${lastRun.status.toLowerCase().replace('_', ' ')})` : '';
}

/** A bundle without a CA that has leaves: somebody put back what they knew (Terraform does at its next apply). */
function distrusted({ authority, record, chains, bundles }: AuthorityFacts): readonly Finding[] {
  const inUse = new Set([record.current, record.signing]);
  inUse.delete(record.retiring);
  return [...inUse].flatMap((ca) =>
    ca === undefined
      ? []
      : [...bundles]
          .filter(([, bundle]) => !bundle.some(({ fingerprint }) => (chains.get(ca) ?? [ca]).includes(fingerprint)))
          .map(([namespace]) => ({
            id: `distrusted.${namespace}.${ca}`,
            authority,
            event: 'failed',
            title: `${namespace} does not trust CA ${short(ca)} of ${authority} any more`,
            lines: [
              `Its leaves are refused there as soon as their connections end. No rotation removed it: somebody else did,`,
              `such as a Terraform configuration that knows an older bundle; it has to leave the bundle alone.`,
              isCompromised(record, ca)
                ? `It is compromised, and stays out: move every target. A rotation adds the CA that signs next, and every leaf of it.`
                : `Put it back now, or move every target: a rotation adds the CA that signs next, and every leaf of it.`,
            ],
            command: `cert-rotation rotate ca ${authority}`,
          })),
  );
}

/** The other way round: a CA that a rotation took out, whose key may be why. */
function trustedAgain({ authority, record, ended, bundles }: AuthorityFacts): readonly Finding[] {
  const known = [record.current, record.next];
  const removed = ended.flatMap(({ outcome, endedAt, result }) =>
    outcome === 'rotated' && result?.oldFingerprint && !known.includes(result.oldFingerprint)
      ? [{ ca: result.oldFingerprint, on: endedAt.slice(0, 10) }]
      : [],
  );
  return removed.flatMap(({ ca, on }) =>
    [...bundles].flatMap(([namespace, bundle]) => {
      const back = bundle.find(({ fingerprint }) => fingerprint === ca);
      return back
        ? [
            {
              id: `trusted-again.${namespace}.${ca}`,
              authority,
              event: 'failed' as const,
              title: `${namespace} trusts CA ${short(ca)} of ${authority} again`,
              lines: [
                `A rotation removed it on ${on}; whoever kept a leaf of it is admitted again.`,
                'Whoever put it back has to know of the rotation; then take it out.',
              ],
              command: `tcld namespace accepted-client-ca remove -n ${namespace} --fp ${back.sha1}`,
            },
          ]
        : [];
    }),
  );
}

/** A leaf rotation that ended by itself, well or not, discarded what it had staged, or told people that it could not. */
export function stagedFinding(facts: StagedFacts): readonly Finding[] {
  const { entry, target, authority, lastRun } = facts;
  if (lastRun && !wasCutShort(lastRun)) return [];
  const resumes = leafResumptionOf(facts);
  return [
    {
      id: `staged.${entry}`,
      authority,
      event: 'failed',
      title: `The leaf rotation of ${target} was cut short`,
      lines: [
        `${leafRotationId(target)} does not run${fate(lastRun)}; the keystore still has the leaf that it made.`,
        `Some pods of ${target} may use it and others not. ${resumes ? 'It is started again now, and' : 'A rotation that is started now'} moves all of them.`,
      ],
      command: resumes ? `cert-rotation status ${target}` : `cert-rotation rotate leaf ${target}`,
      ...(resumes && { resumes }),
    },
  ];
}

/** One that names its CA belongs to a CA rotation, which is resumed itself. */
function leafResumptionOf({ cutRun, isMoved, resume }: StagedFacts): LeafRotationRequest | undefined {
  if (!resume || isMoved || !cutRun || cutRun.request.ca !== undefined) return undefined;
  const { target, urgent } = cutRun.request;
  return { target, ...(urgent && { urgent }) };
}

/** One message about all of them. `all` is not empty. */
export function findingsText(all: readonly Finding[]): {
  readonly title: string;
  readonly lines: readonly string[];
  readonly commands: readonly string[];
} {
  const [first] = all;
  return {
    title: all.length === 1 ? first!.title : `${first!.title}, and ${all.length - 1} more that nobody is at work on`,
    lines: all.flatMap(({ title, lines }) => (all.length === 1 ? lines : [`${title}: ${lines.join(' ')}`])),
    commands: [...new Set(all.map(({ command }) => command))],
  };
}
