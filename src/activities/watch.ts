import { setTimeout as wait } from 'node:timers/promises';
import type { CertificateFacts, Fingerprint } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';
import { isOfPod } from '../domain/pollers.js';
import { judge, see, worst, type Look, type Watch } from '../domain/watch.js';
import type { Progress } from '../targets/target.js';
import type { KeyPair } from '../x509/pair.js';
import { signedBy } from '../x509/read.js';
import { Authorities } from './authorities.js';
import type { Clock } from './cluster-clock.js';
import type { Dependencies } from './dependencies.js';
import { leavesAtRisk } from './leaves.js';
import { neighboursOf } from './neighbours.js';
import { targetConfig, targetsOf } from './plan.js';
import { probeLeaf } from './trust.js';

export interface Watched {
  readonly authority: string;
  readonly namespace: string;
  /** The CA that stays. */
  readonly ca: Fingerprint;
  /** Targets of other authorities that were well before the removal. */
  readonly neighbours: readonly string[];
  /** When the old CA left, by `clock` (milliseconds since the epoch). */
  readonly removedAt: number;
  /** The API server's: another attempt's worker may have another one, and pollers are seen by none of theirs. */
  readonly clock: Clock;
}

/**
 * Looks around, about once a second, until the watch is over: returns when everybody was seen to be there at its end, throws
 * NotAdopted when somebody fell off, or when it stayed impossible to look. It goes on while Temporal, Kubernetes or the
 * network do not answer.
 */
export async function holdWatch(deps: Dependencies, watched: Watched, progress: Progress): Promise<void> {
  const { clock } = watched;
  const { watch: watchMs, connectionAge, connectionAgeGrace } = deps.config.timing;
  const blindMs = connectionAge + connectionAgeGrace;
  const limits = { end: watched.removedAt + watchMs, awayMs: connectionAgeGrace, blindMs };
  const lookout = new Lookout(deps, watched);
  let watch: Watch | undefined;
  let line = `watching ${watched.namespace}`;
  for (;;) {
    // By its end every connection of the old CA is gone: whoever polls after that does so on the new one.
    const isLast = clock().getTime() >= limits.end;
    const polledSince = isLast ? watched.removedAt + blindMs : undefined;
    const look = await lookout.look(polledSince, () => progress.report(line));
    const now = clock().getTime();
    watch = see(watch, look, now);
    const verdict = judge(watch, limits, now);
    // A look that began before the end has not asked who polls, however long it took.
    if (verdict === 'over' && isLast) return;
    if (verdict === 'lost') throw new RotationError('NotAdopted', `${lineOf(look)}.`);
    const left = Math.max(0, Math.ceil((limits.end - now) / 1000));
    line = `watching ${watched.namespace}: ${left} s left${look.kind === 'well' ? '' : `; ${lineOf(look)}`}`;
    progress.report(line);
    await wait(Math.min(1000, connectionAgeGrace), undefined, { signal: progress.signal });
  }
}

const lineOf = (look: Look): string => (look.kind === 'well' ? 'all are there' : look.line);

class Lookout {
  readonly #deps: Dependencies;
  readonly #watched: Watched;
  #probeLeaf: KeyPair | undefined;
  #ca: CertificateFacts | undefined;
  /** The leaf of each target when the watch began. */
  #leaves: ReadonlyMap<string, Fingerprint> | undefined;

  constructor(deps: Dependencies, watched: Watched) {
    this.#deps = deps;
    this.#watched = watched;
  }

  /** One look around, target by target. An error is no finding: whatever could not be read may still be well. */
  async look(polledSince: number | undefined, stillLooking: () => void): Promise<Look> {
    try {
      const refused = await this.#namespace();
      if (refused.kind === 'lost') return refused;
      const looks = [refused, ...(await this.#targets(polledSince, stillLooking))];
      return worst(looks);
    } catch (error) {
      return { kind: 'blind', line: `cannot look: ${error instanceof Error ? error.message : String(error)}` };
    }
  }

  async #namespace(): Promise<Look> {
    const { authority, namespace, ca } = this.#watched;
    this.#probeLeaf ??= await probeLeaf(this.#deps, { authority, namespace }, ca);
    const looks: Look[] = [];
    for (const endpoint of this.#deps.endpoints(namespace)) {
      const result = await this.#deps.probe.test(this.#probeLeaf, endpoint);
      if (result.outcome === 'refused')
        looks.push({ kind: 'lost', line: `${endpoint.address} refuses a leaf of the new CA: ${result.reason}` });
      if (result.outcome === 'unreachable')
        looks.push({ kind: 'blind', line: `${endpoint.address} does not answer: ${result.reason}` });
    }
    return worst(looks);
  }

  async #targets(polledSince: number | undefined, stillLooking: () => void): Promise<readonly Look[]> {
    const { authority, namespace, ca, neighbours } = this.#watched;
    this.#ca ??= await new Authorities(this.#deps).known(authority, ca);
    this.#leaves ??= new Map(
      (await leavesAtRisk(this.#deps, { authority, namespace })).map(({ name, certificate }) => [
        name,
        certificate.fingerprint,
      ]),
    );
    const looks: Look[] = [];
    for (const target of targetsOf(this.#deps, authority)) {
      looks.push(await this.#target(target, polledSince));
      stillLooking();
    }
    for (const target of neighboursOf(this.#deps, authority, namespace).filter((name) => neighbours.includes(name))) {
      looks.push(await this.#neighbour(target, polledSince));
      stillLooking();
    }
    return looks;
  }

  async #target(target: string, polledSince: number | undefined): Promise<Look> {
    const current = (await this.#deps.target(target).read())?.certificate;
    if (!current || !signedBy(current, this.#ca!))
      return { kind: 'lost', line: `the Secret of ${target} no longer holds a leaf of the new CA` };
    return this.#pods(target, current, polledSince);
  }

  /** Of which CA its leaf is does not matter. */
  async #neighbour(target: string, polledSince: number | undefined): Promise<Look> {
    const current = (await this.#deps.target(target).read())?.certificate;
    if (!current) return { kind: 'lost', line: `the Secret of ${target} no longer holds a leaf` };
    return this.#pods(target, current, polledSince);
  }

  /** A leaf that was renewed meanwhile is its own rotation's to prove. */
  async #pods(target: string, current: CertificateFacts, polledSince: number | undefined): Promise<Look> {
    if (current.fingerprint !== this.#leaves!.get(target)) return { kind: 'well' };
    const delivery = await this.#deps.target(target).delivered();
    if (delivery?.leaf !== current.fingerprint)
      return { kind: 'blind', line: `the Secret of ${target} is being changed` };
    const adoption = await this.#deps.target(target).adoption(delivery);
    const off = adoption.holders.find((holder) => !holder.adopted);
    if (off) return { kind: 'away', line: `${target} ${off.name}: ${off.evidence}` };
    if (!adoption.adopted) return { kind: 'away', line: `${target}: no pod uses its Secret` };
    const pods = adoption.holders.map(({ name }) => name);
    return polledSince === undefined ? { kind: 'well' } : this.#polls(target, pods, polledSince);
  }

  async #polls(target: string, pods: readonly string[], since: number): Promise<Look> {
    for (const queue of targetConfig(this.#deps, target).taskQueues) {
      const pollers = (await this.#deps.pollers(queue)).filter(
        ({ lastAccessTime }) => Date.parse(lastAccessTime) >= since,
      );
      const silent = pods.find((pod) => !pollers.some(({ identity }) => isOfPod(identity, pod)));
      if (silent) return { kind: 'blind', line: `${target} ${silent} has not been seen to poll ${queue.name} lately` };
    }
    return { kind: 'well' };
  }
}
