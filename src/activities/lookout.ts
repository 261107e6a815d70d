import { isDeepStrictEqual } from 'node:util';
import { Context } from '@temporalio/activity';
import type { Config } from '../config/schema.js';
import type { RotationRecord } from '../domain/audit.js';
import type { AuthorityRecord } from '../domain/authority.js';
import type { CertificateFacts, Fingerprint } from '../domain/certificate.js';
import type { Sighting, Watched } from '../domain/expiry.js';
import { isExposed } from '../domain/emergency.js';
import { RotationError } from '../domain/failures.js';
import {
  findingsOf,
  stagedFinding,
  wasCutShort,
  type CutLeafRun,
  type CutRun,
  type Finding,
  type LastRun,
} from '../domain/findings.js';
import { caRotationId, entries, leafRotationId } from '../domain/ids.js';
import { parseCaRequest, parseLeafRequest } from '../domain/requests.js';
import { phaseOfActivity } from '../domain/rotation.js';
import { tellIfKnown, type Told } from '../temporal/history.js';
import { runOf, runsCutShort } from '../temporal/running.js';
import type { RunCutShort } from './audit.js';
import { Authorities } from './authorities.js';
import { exposuresOf, type InUse } from './compromised.js';
import type { Dependencies } from './dependencies.js';
import { targetConfig, targetsOf } from './plan.js';

/** What the watch sees. */
export interface Seen {
  readonly sightings: readonly Sighting[];
  readonly findings: readonly Finding[];
  /** Rotations whose end nobody has put on record, in their order. */
  readonly unrecorded: readonly RunCutShort[];
  /** What could not be looked at, and why. */
  readonly unseen: readonly string[];
}

/** A place that does not answer is asked again by so many attempts; then people are told of the others without it. */
const patienceAttempts = 4;

/** What the keystore knows of an authority's rotations: each changes it before it changes a bundle, and after. */
interface Known {
  readonly record: AuthorityRecord;
  readonly ended: readonly RotationRecord[];
}

type Look = () => Promise<Partial<Omit<Seen, 'unseen'>>>;

/**
 * Every CA in every bundle, every CA of every authority, the leaf of every target and that of the worker itself, and what
 * rotations left behind that nobody is at work on. An authority whose rotation runs, or went on meanwhile, is that one's business.
 */
export async function lookEverywhere(deps: Dependencies): Promise<Seen> {
  const places = new Lookout(deps).places();
  const sightings: Sighting[] = [];
  const findings: Finding[] = [];
  const unrecorded: RunCutShort[] = [];
  const unseen: string[] = [];
  for (const [place, look] of places) {
    Context.current().heartbeat({ line: `looking at ${place}` });
    try {
      const seen = await look();
      sightings.push(...(seen.sightings ?? []));
      findings.push(...(seen.findings ?? []));
      unrecorded.push(...(seen.unrecorded ?? []));
    } catch (error) {
      const last = Context.current().info.attempt >= patienceAttempts;
      if (!(error instanceof RotationError) || (error.retryable && !last)) throw error;
      unseen.push(`${place}: ${error.message}`);
    }
  }
  return { sightings, findings, unrecorded, unseen };
}

class Lookout {
  readonly #deps: Dependencies;
  readonly #authorities: Authorities;
  readonly #before = new Map<string, Known>();
  readonly #bundles = new Map<string, readonly CertificateFacts[]>();
  readonly #leaves = new Map<string, CertificateFacts>();

  constructor(deps: Dependencies) {
    this.#deps = deps;
    this.#authorities = new Authorities(deps);
  }

  /** In this order: what is known of an authority's rotations must be the same before and after the bundles are read. */
  places(): readonly (readonly [string, Look])[] {
    const { namespaces, authorities, targets } = this.#deps.config;
    const names = Object.keys(authorities);
    return [
      ...names.map((name) => [`authority ${name}`, () => this.#authority(name)] as const),
      ...Object.keys(namespaces).map((name) => [`the bundle of ${name}`, () => this.#bundle(name)] as const),
      ...Object.keys(targets).map((name) => [`target ${name}`, () => this.#target(name)] as const),
      ...names.map((name) => [`the rotation of ${name}`, () => this.#rotation(name)] as const),
      ...names.map((name) => [`the ends of the rotations of ${name}`, () => this.#ends(name)] as const),
      ['leaves on their way', () => this.#staged()] as const,
      ['the certificate of the rotation worker itself', () => this.#own()] as const,
    ];
  }

  async #bundle(namespace: string): ReturnType<Look> {
    const { bundle } = await this.#deps.cloud.readNamespace(namespace);
    this.#bundles.set(namespace, bundle);
    return { sightings: bundle.map((ca) => ({ certificate: watched(ca), place: { kind: 'bundle', namespace } })) };
  }

  async #authority(authority: string): ReturnType<Look> {
    // Whoever rescues it rotates it already, on a Temporal of their own.
    const renewBefore = (await this.#isRescued(authority)) ? 'never' : this.#authorities.config(authority).renewBefore;
    const before = await this.#known(authority);
    this.#before.set(authority, before);
    const { current, next, signing } = before.record;
    const known = [...new Set([current, next, signing].filter((ca) => ca !== undefined))];
    const cas = await Promise.all(known.map((ca) => this.#authorities.known(authority, ca)));
    const sightings = cas.map((ca): Sighting => {
      const place = { kind: 'authority', authority, signing: ca.fingerprint === signing, renewBefore } as const;
      return { certificate: watched(ca), place };
    });
    return { sightings };
  }

  async #target(target: string): ReturnType<Look> {
    const { authority, renew, lifetime } = targetConfig(this.#deps, target);
    const pair = await this.#deps.target(target).read();
    if (!pair) return {};
    this.#leaves.set(target, pair.certificate);
    const leastLeft = (renew === 'always' ? lifetime : renew.before) - longestGap(this.#deps.config);
    return {
      sightings: [{ certificate: watched(pair.certificate), place: { kind: 'leaf', target, authority, leastLeft } }],
    };
  }

  /** Nothing of an authority that could not be looked at before; that is said already. */
  async #rotation(authority: string): ReturnType<Look> {
    const { record, ended } = await this.#known(authority);
    if (!isDeepStrictEqual({ record, ended }, this.#before.get(authority))) return {};
    if (await this.#isRescued(authority)) return {};
    const inUse = [record.current, record.signing].filter((ca) => ca !== undefined);
    const chains = await Promise.all(
      inUse.map(async (ca): Promise<[Fingerprint, readonly Fingerprint[]]> => {
        return [ca, await this.#authorities.chain(authority, ca)];
      }),
    );
    const bundles = this.#bundlesOf(authority);
    const exposures = await exposuresOf(this.#authorities, authority, {
      leaves: this.#leavesOf(authority),
      trusts: bundles.map(([namespace, bundle]) => ({ namespace, bundle })),
    });
    // Whoever asks for a run that there never was is refused, which counts as a failed call of a worker.
    const isInQuestion =
      record.next !== undefined || isExposed(exposures) || (await this.#cutRuns(authority).catch(() => [])).length > 0;
    const lastRun = isInQuestion ? await this.#lastRun(caRotationId(authority)) : undefined;
    if (lastRun?.status === 'RUNNING') return {};
    return {
      findings: findingsOf({
        authority,
        record,
        chains: new Map(chains),
        lastRun,
        cutRun: lastRun && (await this.#cutRun(authority, lastRun)),
        ended,
        bundles: new Map(bundles),
        exposures,
        resume: this.#deps.config.notices.resume,
      }),
    };
  }

  async #cutRun(authority: string, run: LastRun): Promise<CutRun | undefined> {
    const told = await this.#told(caRotationId(authority), run);
    const request = parseCaRequest(told?.input);
    if (!told || typeof request === 'string') return undefined;
    const last = (isIt: (activity: string) => boolean) => told.steps.findLastIndex(({ activity }) => isIt(activity));
    const aborting = last((activity) => activity === 'abortFacts' || phaseOfActivity[activity] === 'abort');
    const made = last((activity) => activity === 'issueCa');
    // One that began anew after an abort, because of an emergency, made another CA.
    return { request, aborting: aborting > made, made: made >= 0 };
  }

  async #cutLeafRun(target: string, run: LastRun): Promise<CutLeafRun | undefined> {
    const request = parseLeafRequest((await this.#told(leafRotationId(target), run))?.input);
    return typeof request === 'string' ? undefined : { request };
  }

  /** A history that cannot be read keeps nobody from hearing of anything: then nothing is known of the run. */
  async #told(workflowId: string, run: LastRun): Promise<Told | undefined> {
    if (!wasCutShort(run)) return undefined;
    return tellIfKnown(this.#deps.client(), workflowId, run.runId).catch(() => undefined);
  }

  #bundlesOf(authority: string): readonly (readonly [string, readonly CertificateFacts[]])[] {
    return this.#authorities.config(authority).namespaces.flatMap((namespace) => {
      const bundle = this.#bundles.get(namespace);
      return bundle ? [[namespace, bundle] as const] : [];
    });
  }

  #leavesOf(authority: string): InUse['leaves'] {
    return targetsOf(this.#deps, authority).flatMap((name) => {
      const certificate = this.#leaves.get(name);
      return certificate ? [{ name, certificate }] : [];
    });
  }

  /** Not while one runs, which writes its own: the records are a chain, written one after the other. */
  async #ends(authority: string): ReturnType<Look> {
    const workflowId = caRotationId(authority);
    const ended = await this.#authorities.records(authority);
    const runs = await this.#cutRuns(authority);
    const unrecorded = runs.filter((runId) => !ended.some((end) => end.runId === runId));
    if (unrecorded.length === 0 || (await this.#lastRun(workflowId))?.status === 'RUNNING') return {};
    return { unrecorded: unrecorded.map((runId) => ({ authority, runId })) };
  }

  async #cutRuns(authority: string): Promise<readonly string[]> {
    const workflowId = caRotationId(authority);
    return runsCutShort(this.#deps.client(), workflowId).catch((error: Error) => {
      // Nothing of it keeps anybody from hearing of a certificate that expires.
      throw new RotationError(
        'TemporalUnreachable',
        `The runs of ${workflowId} could not be listed: ${error.message}.`,
      );
    });
  }

  async #staged(): ReturnType<Look> {
    const staged = await this.#deps.keystore.list('leaf.');
    const targets = Object.entries(this.#deps.config.targets);
    const found: Finding[] = [];
    for (const { name: entry, owner } of staged) {
      const [target, config] = targets.find(([name]) => leafRotationId(name) === owner) ?? [];
      if (target === undefined || !config || (await this.#isRescued(config.authority))) continue;
      const lastRun = await this.#lastRun(owner);
      if (lastRun && !wasCutShort(lastRun)) continue;
      // It may have ended since it was listed, and have taken its leaf with it.
      if (!(await this.#deps.keystore.get(entry))) continue;
      const { authority } = config;
      found.push(
        ...stagedFinding({
          entry,
          target,
          authority,
          lastRun,
          cutRun: lastRun && (await this.#cutLeafRun(target, lastRun)),
          isMoved: (await this.#lastRun(caRotationId(authority)))?.status === 'RUNNING',
          resume: this.#deps.config.notices.resume,
        }),
      );
    }
    return { findings: found };
  }

  async #own(): ReturnType<Look> {
    const certificate = await this.#deps.ownCertificate();
    return certificate ? { sightings: [{ certificate: watched(certificate), place: { kind: 'worker' } }] } : {};
  }

  async #isRescued(authority: string): Promise<boolean> {
    const claim = await this.#deps.keystore.get(entries.rescue(authority));
    return Date.parse(claim?.expiresAt ?? '') > this.#deps.now().getTime();
  }

  async #known(authority: string): Promise<Known> {
    return { record: await this.#authorities.record(authority), ended: await this.#authorities.records(authority) };
  }

  #lastRun(workflowId: string): Promise<LastRun | undefined> {
    return runOf(this.#deps.client(), workflowId);
  }
}

/** Only what expiry is told by: certificates of many places would fill a history. */
function watched({ fingerprint, sha1, subject, notBefore, notAfter, isCa }: CertificateFacts): Watched {
  return { fingerprint, sha1, subject, notBefore, notAfter, isCa };
}

/** Between two renewals on schedule. */
const longestGap = ({ schedule }: Config): number => schedule.interval + schedule.jitter;
