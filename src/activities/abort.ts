import type { NamespaceTrust } from '../cloud/cloud.js';
import { isCompromised, signBack, withNext, withoutNext } from '../domain/authority.js';
import { planBundle } from '../domain/bundle.js';
import type { CertificateFacts, Fingerprint } from '../domain/certificate.js';
import { entries } from '../domain/ids.js';
import type { AbortFacts, BothCas } from '../domain/intervention.js';
import { anchorsOf, issuersAmong } from '../x509/chain.js';
import { signedBy } from '../x509/read.js';
import { Authorities } from './authorities.js';
import { cloudProgress } from './cloud-progress.js';
import type { Dependencies } from './dependencies.js';
import { leavesAtRisk, leavesInUse } from './leaves.js';
import { nothingOnItsWay } from './retiring.js';
import type { Step } from './trust.js';

/** A run that is aborted. */
export interface AbortingRun {
  readonly authority: string;
  readonly rotation: string;
}

export interface NewCa {
  readonly authority: string;
  readonly ca: Fingerprint;
}

/** What an abort does, before any removal: the new CA goes, once nobody is on it. */
export function abortActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);

  async function moveSignerBack({ authority, ca }: NewCa): Promise<void> {
    await authorities.change(authority, (record) => signBack(record, ca));
  }

  /** With it go CAs that were to follow the current one, and whose keys leaked (safety 43). */
  async function leaving({ authority, ca }: NewCa): Promise<readonly Fingerprint[]> {
    const { compromised = [], current } = await authorities.record(authority);
    return [ca, ...compromised.filter((other) => other !== current)];
  }

  /**
   * What an abort would undo, as everything is now: an earlier run that was terminated may have moved targets, a schedule may
   * have renewed leaves under the new CA, and an attempt that died may have stored one. Changes nothing.
   */
  async function abortFacts({ authority, rotation }: AbortingRun): Promise<AbortFacts> {
    const record = await authorities.record(authority);
    const { ca, old } = await bothCas({ authority, rotation });
    if (!ca) return { trustedBy: [], moved: [] };
    const { namespaces } = authorities.config(authority);
    const trusts = await Promise.all(namespaces.map((namespace) => deps.cloud.readNamespace(namespace)));
    const isTrusted = ({ bundle }: NamespaceTrust) => bundle.some(({ fingerprint }) => fingerprint === ca.fingerprint);
    return {
      ca,
      ...(old && { old }),
      ...(old && isCompromised(record, old.fingerprint) && { compromised: true }),
      trustedBy: trusts.filter(isTrusted).map(({ namespace }) => namespace),
      moved: await targetsOf({ authority, ca: ca.fingerprint }),
    };
  }

  /** The next CA that an abort finds before its own run has made one. Where only an attempt that died knows it, it is named first. */
  async function takeUpNext({ authority, rotation }: AbortingRun): Promise<BothCas> {
    const cas = await bothCas({ authority, rotation });
    const { ca } = cas;
    if (ca) await authorities.change(authority, (record) => withNext(record, ca.fingerprint, rotation));
    return cas;
  }

  async function bothCas({ authority, rotation }: AbortingRun): Promise<BothCas> {
    const { current, next } = await authorities.record(authority);
    const find = async (ca: Fingerprint | undefined) => ca && (await authorities.certificate(authority, ca));
    const [old, named] = await Promise.all([find(current), find(next)]);
    const ca = named || next ? named : await authorities.madeEarlier(authority, rotation);
    return { ...(ca && { ca }), ...(old && { old }) };
  }

  /** Read from the targets themselves, once no leaf of it is on its way any more; the old CA signs again by then. */
  async function targetsOnCa({ authority, ca }: NewCa): Promise<{ targets: readonly string[] }> {
    await authorities.known(authority, ca);
    await nothingOnItsWay(deps, authority);
    return { targets: await targetsOf({ authority, ca }) };
  }

  async function targetsOf({ authority, ca }: NewCa): Promise<readonly string[]> {
    const found = await Promise.all(
      (await leaving({ authority, ca })).map((one) => authorities.certificate(authority, one)),
    );
    const leaves = await leavesInUse(deps, authority);
    const isOn = (leaf: CertificateFacts) => found.some((certificate) => certificate && signedBy(leaf, certificate));
    return leaves.filter((leaf) => isOn(leaf.certificate)).map(({ name }) => name);
  }

  /** Refused while a leaf in use chains to it. Filters stay as they are. */
  async function dropCa({ authority, namespace, ca, rotation }: Step): Promise<void> {
    await deps.cloud.changeTrust(
      namespace,
      async (current) => {
        const inUse = await leavesAtRisk(deps, { authority, namespace });
        const { bundle } = planBundle({
          current: current.bundle,
          add: [],
          remove: await leaving({ authority, ca }),
          now: deps.now(),
          leavesInUse: inUse.map((leaf) => ({ name: leaf.name, chainsTo: anchorsOf(leaf, current.bundle) })),
          issuers: issuersAmong(current.bundle),
        });
        return { bundle, filters: current.filters };
      },
      { generation: `${rotation}/abort`, ...cloudProgress() },
    );
  }

  /** It is `next` no longer, and its key is destroyed. Its number stays taken. */
  async function abandonCa({ authority, ca }: NewCa): Promise<void> {
    await authorities.change(authority, (record) => (record.next === ca ? withoutNext(record) : record));
    await authorities.destroy(authority, entries.ca(authority, ca));
  }

  return { abortFacts, takeUpNext, moveSignerBack, targetsOnCa, dropCa, abandonCa };
}
