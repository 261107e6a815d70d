import assert from 'node:assert/strict';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities } from '../../src/activities/index.js';
import { caRotationId } from '../../src/domain/ids.js';
import type { ExpiryNoticesResult } from '../../src/domain/rotation.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa } from './certificates.js';
import { ExpiryWorld, type ExpiryWorldOptions } from './expiry-world.js';
import { failing, fakeActivities } from './fake-activities.js';
import { startHttpReceiver, type HttpReceiver } from './http-receiver.js';
import { WorkflowTests } from './temporal-env.js';

/** Runs of the watch over expiring certificates, in worlds that a test makes, and the two whom it can tell. */
export class ExpiryWatch {
  readonly tests: WorkflowTests;
  readonly ca: KeyPair;
  readonly foreign: KeyPair;
  #ops: HttpReceiver | undefined;
  #team: HttpReceiver | undefined;
  #runs = 0;

  private constructor(tests: WorkflowTests, ca: KeyPair, foreign: KeyPair) {
    this.tests = tests;
    this.ca = ca;
    this.foreign = foreign;
  }

  static async begin(): Promise<ExpiryWatch> {
    const [ca, foreign] = await Promise.all([aCa(), aCa({ organization: 'Somebody else' })]);
    return new ExpiryWatch(await WorkflowTests.skippingTime(), ca, foreign);
  }

  stop(): Promise<void> {
    return this.tests.stop();
  }

  /** Both listen from now on, and have heard nothing. */
  async listen(): Promise<void> {
    [this.#ops, this.#team] = await Promise.all([startHttpReceiver(), startHttpReceiver()]);
  }

  async hangUp(): Promise<void> {
    await Promise.all([this.ops.stop(), this.team.stop()]);
  }

  get ops(): HttpReceiver {
    return this.#ops!;
  }

  get team(): HttpReceiver {
    return this.#team!;
  }

  /** Only `ops` is told there, unless something else is said. */
  aWorld(options: Partial<ExpiryWorldOptions> = {}): ExpiryWorld {
    return new ExpiryWorld({ client: this.tests.env.client, notifiers: { ops: this.ops.address }, ...options });
  }

  use(activities: Activities): void {
    this.tests.use({ ...fakeActivities(), activities });
  }

  /** Under an id of its own, as a schedule does. */
  start(): Promise<WorkflowHandle> {
    return this.tests.start('expiryNotices', `expiry-notices-${(this.#runs += 1)}`);
  }

  /** Runs it once. */
  async run(): Promise<ExpiryNoticesResult> {
    return (await (await this.start()).result()) as ExpiryNoticesResult;
  }

  /** What a run failed with. */
  async failure(): Promise<ApplicationFailure> {
    const error = await this.run().then(
      () => assert.fail('it did not fail'),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure, String(error));
    return error.cause;
  }

  /** Waits for the end in real time: the test server would skip what another run still waits for. */
  async ended(handle: WorkflowHandle): Promise<void> {
    const { status } = await this.tests.eventually(async () => {
      const description = await handle.describe();
      return description.status.name !== 'RUNNING' && description;
    });
    assert.equal(status.name, 'COMPLETED');
  }

  /** The CA rotation that was last ended by itself, whatever tests before did to theirs. */
  async rotationEnded(): Promise<void> {
    this.tests.use(fakeActivities({ resolveCaRotation: failing('UnknownAuthority') }));
    await this.tests.failureOf(await this.tests.start('caRotation', caRotationId('orders'), { authority: 'orders' }));
  }

  /** Of the run that was started last. */
  history(): ReturnType<WorkflowHandle['fetchHistory']> {
    return this.tests.env.client.workflow.getHandle(`expiry-notices-${this.#runs}`).fetchHistory();
  }
}

/** Of what it was told, in order. */
export function titles({ taken }: HttpReceiver): readonly string[] {
  return taken.map(({ body }) => (JSON.parse(body) as { data: { title: string } }).data.title);
}
