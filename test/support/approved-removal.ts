import assert from 'node:assert/strict';
import type { Removal } from '../../src/activities/removal.js';
import { RotationError, type FailureType } from '../../src/domain/failures.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { runActivity, type ActivityRun } from './activity-run.js';
import { approvedRemoval } from './approved.js';
import { aWorld, type World, type WorldOptions } from './fakes.js';

/** How a clock of the rotation worker is off, and by how much (milliseconds). */
export const clocks = [
  ['behind', -240_000],
  ['ahead', 240_000],
] as const;

/** What a port does that cannot be reached now. */
export const unavailable = (type: FailureType) => () => {
  throw new RotationError(type, 'planted.');
};

/** Everybody is on the CA `next`: the activity that removes the old one, which was approved. */
export class ApprovedRemoval {
  readonly world: World;
  readonly next: KeyPair;
  /** Time stands still but for this: each look around during a watch takes a tenth of a second. */
  timePasses = true;

  private constructor(world: World, next: KeyPair) {
    this.world = world;
    this.next = next;
  }

  static async begin(options?: WorldOptions): Promise<ApprovedRemoval> {
    const world = await aWorld(options);
    return new ApprovedRemoval(world, await world.moved());
  }

  /** Of the old CA and the next one. */
  fingerprints(): string[] {
    return [this.world.old, this.next].map(({ certificate }) => certificate.fingerprint);
  }

  /** On what is so now. */
  approved(): Removal {
    return approvedRemoval(this.world, this.next);
  }

  run(heartbeatDetails?: unknown, what = this.approved()): ActivityRun<{ lines: readonly string[] }> {
    const { world } = this;
    world.frozenAt ??= Date.now();
    const run = runActivity(world, 'removeCa', what, heartbeatDetails);
    run.onHeartbeat(({ line }) => {
      if (this.timePasses && /^(watching|waiting)/.test(String(line))) world.frozenAt! += 100;
    });
    return run;
  }

  /** Its watch has begun and does not go on until `timePasses`. */
  async watching(what = this.approved()): Promise<ActivityRun<{ lines: readonly string[] }>> {
    this.timePasses = false;
    const run = this.run(undefined, what);
    await run.reaches(/^watching/);
    return run;
  }

  clockIsOff(by: number): void {
    this.world.clusterOffsetMs = -by;
    // The watch is shorter here than the second that the API server's clock tells: it is about to end.
    this.world.frozenAt = 1000 * Math.ceil(Date.now() / 1000) - 1;
  }

  /** The changes of namespaces that were written. */
  generations(): string[] {
    return this.world.cloud.writes.map(({ generation }) => generation);
  }

  async assertUndone(result: Promise<unknown>, reason: RegExp): Promise<void> {
    await assert.rejects(result, { type: 'RemovalUndone', nonRetryable: true, message: reason });
    assert.deepEqual([...this.world.bundle()].sort(), this.fingerprints().sort());
    assert.equal(this.world.record().retiring, undefined, 'the old CA may be used again');
  }
}
