import { isExpired, short } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';
import { entries } from '../domain/ids.js';
import type { StoredEntry } from '../keystore/keystore.js';
import { anchorsOf } from '../x509/chain.js';
import type { KeyPair } from '../x509/pair.js';
import { Authorities } from './authorities.js';
import type { Dependencies } from './dependencies.js';
import { progress } from './failures.js';
import { leafActivities } from './leaf.js';
import { authorityConfig, targetConfig } from './plan.js';
import { signedBy } from '../x509/read.js';
import { StagedLeaves } from './staged-leaves.js';

export interface Restoration {
  readonly target: string;
  readonly rotation: string;
  /** The rollout had begun: only then is anything restarted again. */
  readonly rolledOut: boolean;
  /** The key of the previous pair is in other hands. */
  readonly leaked?: boolean | undefined;
}

export interface Restored {
  readonly line: string;
  /** False: nothing was to be put back. */
  readonly restored: boolean;
}

export function restoreActivities(deps: Dependencies) {
  const staged = new StagedLeaves(deps);
  const { discardPairs } = leafActivities(deps);

  /**
   * Puts a pair that works into the target and rolls it out: the previous one, if everything that is read now speaks for it,
   * otherwise a fresh leaf of the signing CA (safety 16, 32). When neither is admitted nothing is restarted, and the failure
   * calls for a person. Returns what was done, for one, and whether anything was.
   */
  async function restoreTarget({ target, rotation, rolledOut, leaked }: Restoration): Promise<Restored> {
    const previous = await staged.previous(target, rotation);
    const { line, pair } = await chosen({ target, rotation, leaked }, previous);
    if (pair) {
      const delivery = await deps.target(target).deliver(pair);
      // How far the rollout of a run came that died, nobody knows.
      const isOfDeadRun = previous?.name !== entries.previous(target, rotation);
      if (rolledOut || isOfDeadRun) await deps.target(target).rollOut(delivery, progress());
    }
    await discardPairs({ target, settled: true });
    return { line, restored: pair !== undefined };
  }

  async function chosen(
    { target, rotation, leaked = false }: Omit<Restoration, 'rolledOut'>,
    previous: StoredEntry | undefined,
  ): Promise<{ line: string; pair?: KeyPair }> {
    if (!previous?.certificate || !previous.key)
      return { line: `Nothing was to be put back: ${target} had no pair before, or still has it.` };
    const pair = { certificate: previous.certificate, key: previous.key, chain: previous.chain };
    const objection = leaked ? 'its key leaked' : await objectionTo(target, pair);
    if (!objection) {
      return { line: `The previous pair of ${target}, leaf ${short(pair.certificate.fingerprint)}, is back.`, pair };
    }
    const fresh = await freshLeaf(target, rotation);
    const name = short(fresh.certificate.fingerprint);
    return {
      line: `The previous pair of ${target} could not go back: ${objection}. It has a fresh leaf ${name} of the signing CA.`,
      pair: fresh,
    };
  }

  /** Why the previous pair must not go back; undefined when it works now. */
  async function objectionTo(target: string, pair: KeyPair): Promise<string | undefined> {
    const { certificate } = pair;
    if (isExpired(certificate, deps.now())) return `it expired at ${certificate.notAfter}`;
    return (await objectionToItsCa(target, pair)) ?? (await refusal(target, pair));
  }

  async function objectionToItsCa(target: string, pair: KeyPair): Promise<string | undefined> {
    const { authority } = targetConfig(deps, target);
    const authorities = new Authorities(deps);
    const record = await authorities.record(authority);
    const { retiring, compromised = [] } = record;
    for (const ca of compromised) {
      const certificate = record.signing === ca ? undefined : await authorities.certificate(authority, ca);
      if (certificate && signedBy(pair.certificate, certificate)) return 'its CA is compromised';
    }
    const leaving = retiring ? await authorities.chain(authority, retiring) : [];
    for (const namespace of authorityConfig(deps, authority).namespaces) {
      const { bundle } = await deps.cloud.readNamespace(namespace);
      const anchors = anchorsOf(pair, bundle);
      if (anchors.length === 0) return `${namespace} does not trust its CA`;
      if (anchors.every((ca) => leaving.includes(ca))) return 'its CA is being removed';
    }
    return undefined;
  }

  async function refusal(target: string, pair: KeyPair): Promise<string | undefined> {
    try {
      await staged.prove(target, pair);
      return undefined;
    } catch (error) {
      if (error instanceof RotationError && error.type === 'ProbeRefused') return error.message.replace(/\.$/, '');
      throw error;
    }
  }

  async function freshLeaf(target: string, rotation: string): Promise<KeyPair> {
    const { entry } = await staged.issue({ target, entry: entries.fresh(target, rotation) });
    const leaf = await staged.take(entry);
    await staged.prove(target, leaf);
    return { certificate: leaf.certificate, key: leaf.key, chain: leaf.chain };
  }

  return { restoreTarget };
}
