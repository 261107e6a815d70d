import { randomUUID } from 'node:crypto';
import { RotationError } from '../domain/failures.js';
import { entries } from '../domain/ids.js';
import type { Keystore, StoredEntry } from '../keystore/keystore.js';

/** Renewed well before it lapses; one that lapsed may be taken over. */
const [lapsesAfterMs, renewEveryMs, tryAgainAfterMs] = [5 * 60_000, 60_000, 5_000];

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
 * lock nobody else out. Throws RescueRunning. It is renewed until it is released, and taken again where an outage let it lapse or
 * the answer of a renewal was lost: it is lost only once somebody else has it.
 */
export async function claimRescue(keystore: Keystore, claimant: Claimant): Promise<Claim> {
  const { authority, by, now = () => new Date(), lost } = claimant;
  const name = entries.rescue(authority);
  const claim = randomUUID();
  const isOurs = ({ record }: StoredEntry) => (record as ClaimRecord).claim === claim;
  const isLapsed = ({ expiresAt = '' }: StoredEntry) => !(Date.parse(expiresAt) > now().getTime());

  async function take(): Promise<void> {
    const found = await keystore.get(name);
    if (found && !isOurs(found) && !isLapsed(found)) {
      const { by: other } = found.record as ClaimRecord;
      throw new RotationError('RescueRunning', `${other} rescues ${authority} already, or did until a moment ago.`);
    }
    const record: ClaimRecord = { by, claim };
    const expiresAt = new Date(now().getTime() + lapsesAfterMs).toISOString();
    const entry = { record, owner: `rescue/${authority}`, expiresAt };
    await (found ? keystore.update(name, entry, found.version) : keystore.create(name, entry));
  }

  let renewal: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let released = false;
  const renewIn = (ms: number): void => {
    if (!released) timer = setTimeout(() => void (renewal = renew()), ms);
  };
  async function renew(): Promise<void> {
    try {
      await take();
      renewIn(renewEveryMs);
    } catch (error) {
      if (error instanceof RotationError && error.type === 'RescueRunning') lost(error);
      else renewIn(tryAgainAfterMs);
    }
  }

  await take();
  renewIn(renewEveryMs);
  return {
    async release() {
      released = true;
      clearTimeout(timer);
      await renewal;
      const found = await keystore.get(name);
      if (found && isOurs(found)) await keystore.delete(name);
    },
  };
}

interface ClaimRecord {
  readonly by: string;
  /** Told apart from another one of the same person. */
  readonly claim: string;
}
