import { Context } from '@temporalio/activity';
import type { Config } from '../config/schema.js';
import type { CertificateFacts, Fingerprint } from '../domain/certificate.js';
import type { Sighting, Watched } from '../domain/expiry.js';
import { RotationError } from '../domain/failures.js';
import { findingsOf, stagedFinding, type Finding, type LastRun } from '../domain/findings.js';
import { caRotationId, leafRotationId } from '../domain/ids.js';
import { runOf } from '../temporal/running.js';
import { Authorities } from './authorities.js';
import type { Dependencies } from './dependencies.js';
import { targetConfig } from './plan.js';

/** What the watch sees. */
export interface Seen {
  readonly sightings: readonly Sighting[];
  readonly findings: readonly Finding[];
  /** What could not be looked at, and why. */
  readonly unseen: readonly string[];
}

/** A place that does not answer is asked again by so many attempts; then people are told of the others without it. */
const patienceAttempts = 4;

type Look = () => Promise<Partial<Pick<Seen, 'sightings' | 'findings'>>>;

/**
 * Every CA in every bundle, every CA of every authority and the leaf of every target, and what rotations left behind that
 * nobody is at work on. An authority whose rotation runs, or ran meanwhile, is that one's business.
 */
export async function lookEverywhere(deps: Dependencies): Promise<Seen> {
  const places = await new Lookout(deps).places();
  const sightings: Sighting[] = [];
  const findings: Finding[] = [];
  const unseen: string[] = [];
  for (const [place, look] of places) {
    Context.current().heartbeat({ line: `looking at ${place}` });
    try {
      const seen = await look();
      sightings.push(...(seen.sightings ?? []));
      findings.push(...(seen.findings ?? []));
    } catch (error) {
      const last = Context.current().info.attempt >= patienceAttempts;
      if (!(error instanceof RotationError) || (error.retryable && !last)) throw error;
      unseen.push(`${place}: ${error.message}`);
    }
  }
  return { sightings, findings, unseen };
}

class Lookout {
  readonly #deps: Dependencies;
  readonly #authorities: Authorities;
  readonly #bundles = new Map<string, readonly CertificateFacts[]>();

  constructor(deps: Dependencies) {
    this.#deps = deps;
    this.#authorities = new Authorities(deps);
  }

  /** In this order: an authority is compared with the bundles that were read before. */
  async places(): Promise<readonly (readonly [string, Look])[]> {
    const { namespaces, authorities, targets } = this.#deps.config;
    const names = Object.keys(authorities);
    const before = new Map<string, LastRun | undefined>();
    for (const name of names) before.set(name, await this.#lastRun(caRotationId(name)));
    return [
      ...Object.keys(namespaces).map((name) => [`the bundle of ${name}`, () => this.#bundle(name)] as const),
      ...names.map((name) => [`authority ${name}`, () => this.#authority(name)] as const),
      ...Object.keys(targets).map((name) => [`target ${name}`, () => this.#target(name)] as const),
      ...names.map((name) => [`the rotation of ${name}`, () => this.#rotation(name, before.get(name))] as const),
      ['leaves on their way', () => this.#staged()] as const,
    ];
  }

  async #bundle(namespace: string): ReturnType<Look> {
    const { bundle } = await this.#deps.cloud.readNamespace(namespace);
    this.#bundles.set(namespace, bundle);
    return { sightings: bundle.map((ca) => ({ certificate: watched(ca), place: { kind: 'bundle', namespace } })) };
  }

  async #authority(authority: string): ReturnType<Look> {
    const { renewBefore } = this.#authorities.config(authority);
    const { current, next, signing } = await this.#authorities.record(authority);
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
    const leastLeft = (renew === 'always' ? lifetime : renew.before) - longestGap(this.#deps.config);
    return {
      sightings: [{ certificate: watched(pair.certificate), place: { kind: 'leaf', target, authority, leastLeft } }],
    };
  }

  async #rotation(authority: string, before: LastRun | undefined): ReturnType<Look> {
    const record = await this.#authorities.record(authority);
    const ended = await this.#authorities.records(authority);
    const inUse = [record.current, record.signing].filter((ca) => ca !== undefined);
    const chains = await Promise.all(
      inUse.map(async (ca): Promise<[Fingerprint, readonly Fingerprint[]]> => {
        return [ca, await this.#authorities.chain(authority, ca)];
      }),
    );
    const lastRun = await this.#lastRun(caRotationId(authority));
    if (lastRun?.status === 'RUNNING' || lastRun?.runId !== before?.runId || lastRun?.status !== before?.status)
      return {};
    const { namespaces } = this.#authorities.config(authority);
    const bundles = namespaces.flatMap((name) => {
      const bundle = this.#bundles.get(name);
      return bundle ? [[name, bundle] as const] : [];
    });
    return {
      findings: findingsOf({
        authority,
        record,
        chains: new Map(chains),
        lastRun,
        ended,
        bundles: new Map(bundles),
      }),
    };
  }

  async #staged(): ReturnType<Look> {
    const staged = await this.#deps.keystore.list('leaf.');
    const targets = Object.entries(this.#deps.config.targets);
    const found: Finding[] = [];
    for (const { name: entry, owner } of staged) {
      const [target, config] = targets.find(([name]) => leafRotationId(name) === owner) ?? [];
      if (target === undefined || !config) continue;
      const lastRun = await this.#lastRun(owner);
      // It may have ended since it was listed, and have taken its leaf with it.
      if (!(await this.#deps.keystore.get(entry))) continue;
      found.push(...stagedFinding({ entry, target, authority: config.authority, lastRun }));
    }
    return { findings: found };
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
