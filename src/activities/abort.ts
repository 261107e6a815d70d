import { signBack, withoutNext } from '../domain/authority.js';
import { planBundle } from '../domain/bundle.js';
import type { CertificateFacts, Fingerprint } from '../domain/certificate.js';
import { entries } from '../domain/ids.js';
import { anchorsOf, issuersAmong } from '../x509/chain.js';
import { signedBy } from '../x509/read.js';
import { Authorities } from './authorities.js';
import { cloudProgress } from './cloud-progress.js';
import type { Dependencies } from './dependencies.js';
import { leavesAtRisk, leavesInUse } from './leaves.js';
import type { Step } from './trust.js';

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

  /** Read from the targets themselves: a schedule may have moved one, too, and a cancelled rotation none. */
  async function targetsOnCa({ authority, ca }: NewCa): Promise<{ targets: readonly string[] }> {
    await authorities.known(authority, ca);
    const found = await Promise.all(
      (await leaving({ authority, ca })).map((one) => authorities.certificate(authority, one)),
    );
    const leaves = await leavesInUse(deps, authority);
    const isOn = (leaf: CertificateFacts) => found.some((certificate) => certificate && signedBy(leaf, certificate));
    return { targets: leaves.filter((leaf) => isOn(leaf.certificate)).map(({ name }) => name) };
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

  return { moveSignerBack, targetsOnCa, dropCa, abandonCa };
}
