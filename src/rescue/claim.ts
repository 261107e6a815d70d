import { RotationError } from '../domain/failures.js';
import { entries } from '../domain/ids.js';
import type { Keystore } from '../keystore/keystore.js';

/** Renewed well before it lapses; one that lapsed may be taken over. */
const [lapsesAfterMs, renewEveryMs] = [5 * 60_000, 60_000];

export interface Claim {
  /** That of somebody who took over stays. */
  release(): Promise<void>;
}

interface Claimant {
  readonly authority: string;
  /** Person and machine. */
  readonly by: string;
  readonly now?: () => Date;
  /** Somebody else has it: go no further. */
  readonly lost: (error: Error) => void;
}

/**
 * One rescue of an authority at a time, by compare-and-set in the keystore: each has a Temporal of its own, where the fixed ids
 * lock nobody else out. Throws RescueRunning.
 */
export async function claimRescue(keystore: Keystore, claimant: Claimant): Promise<Claim> {
  const { authority, by, now = () => new Date(), lost } = claimant;
  const name = entries.rescue(authority);
  const entry = () => ({
    record: { by },
    owner: `rescue/${authority}`,
    expiresAt: new Date(now().getTime() + lapsesAfterMs).toISOString(),
  });
  const found = await keystore.get(name);
  if (found && Date.parse(found.expiresAt ?? '') > now().getTime()) {
    const { by: other } = found.record as { by: string };
    throw new RotationError('RescueRunning', `${other} rescues ${authority} already, or did until a moment ago.`);
  }
  let { version } = found ? await keystore.update(name, entry(), found.version) : await keystore.create(name, entry());
  let renewal: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    renewal = keystore.update(name, entry(), version).then(
      (renewed) => (version = renewed.version),
      (error: Error) => {
        // An outage may end before it lapses; a claim of somebody else does not.
        if (error instanceof RotationError && error.type === 'KeystoreConflict') lost(error);
      },
    );
  }, renewEveryMs);
  return {
    async release() {
      clearInterval(timer);
      await renewal;
      if ((await keystore.get(name))?.version === version) await keystore.delete(name);
    },
  };
}
