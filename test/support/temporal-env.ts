import type { WorkflowHandle } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { Activities } from '../../src/activities/index.js';
import type { RotationStatus } from '../../src/domain/rotation.js';
import { findTool } from '../../src/sandbox/tools/index.js';
import { fakeActivities, type FakeActivities } from './fake-activities.js';
import { temporalTestServer } from './temporal-test-server.js';
import { workflowBundle } from './workflow-bundle.js';

/** A Temporal server and one worker with the real workflows; its activities are those of the test that runs. */
export class WorkflowTests {
  static readonly taskQueue = 'tests';
  readonly env: TestWorkflowEnvironment;
  #stopped = new AbortController();
  #activities: Activities = fakeActivities().activities;
  #worker: Promise<void> = Promise.resolve();

  private constructor(env: TestWorkflowEnvironment) {
    this.env = env;
  }

  /** The test server that skips time: a wait of days takes milliseconds, while somebody waits for a result. */
  static async skippingTime(): Promise<WorkflowTests> {
    quiet();
    const path = await temporalTestServer((line) => process.stderr.write(`${line}\n`));
    const server = { executable: { type: 'existing-path', path } } as const;
    return new WorkflowTests(await patiently(() => TestWorkflowEnvironment.createTimeSkipping({ server }))).#begin();
  }

  /** The dev server, for what the test server does not have. */
  static async onDevServer(extraArgs: readonly string[] = []): Promise<WorkflowTests> {
    quiet();
    const path = await findTool('temporal', { progress: (line) => process.stderr.write(`${line}\n`) });
    const executable = { type: 'existing-path', path } as const;
    const server = { executable, extraArgs: [...extraArgs] };
    return new WorkflowTests(await patiently(() => TestWorkflowEnvironment.createLocal({ server }))).#begin();
  }

  /** The worker calls these from now on. */
  use({ activities }: FakeActivities): void {
    this.#activities = activities;
  }

  /** By name and with plain arguments, as a person starts it. */
  start(workflow: string, workflowId: string, ...args: readonly unknown[]): Promise<WorkflowHandle> {
    const { taskQueue } = WorkflowTests;
    return this.env.client.workflow.start(workflow, { workflowId, taskQueue, args: [...args] });
  }

  /** What the workflow failed with; undefined when it did not. */
  async failureOf(handle: WorkflowHandle): Promise<unknown> {
    return handle.result().then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  /** Waits, in real time, until the rotation is in this phase. */
  async reach(handle: WorkflowHandle, phase: RotationStatus['phase']): Promise<RotationStatus> {
    return this.eventually(async () => {
      const status = await handle.query<RotationStatus>('status');
      return status.phase === phase ? status : undefined;
    });
  }

  /** Cancels, and waits until the workflow knows. */
  async cancel(handle: WorkflowHandle): Promise<void> {
    await handle.cancel();
    await this.knowsOfCancellation(handle);
  }

  /**
   * Terminates a run that waits for one thing: an activity under way, or its first workflow task. The test server skips no time
   * as long as there is such a thing, and forgets to end that where the run ends first: whoever waits for a retry or a timer
   * after that would wait for it in real time.
   */
  async terminate(handle: WorkflowHandle, reason = 'somebody was too quick'): Promise<void> {
    await handle.terminate(reason);
    await this.env.connection.testService?.unlockTimeSkipping({});
  }

  /** The test server loses what a workflow does about it at the very time at which its activity ends: wait in between. */
  async knowsOfCancellation(handle: WorkflowHandle): Promise<void> {
    await this.eventually(async () => {
      const events = (await handle.fetchHistory()).events ?? [];
      const requested = events.findIndex((event) => event.workflowExecutionCancelRequestedEventAttributes);
      if (requested < 0) return undefined;
      return events.slice(requested).some((event) => event.workflowTaskCompletedEventAttributes);
    });
  }

  /** The first answer that is neither undefined nor false. Fails after 20 s without one. */
  async eventually<T>(look: () => Promise<T | undefined | false>): Promise<T> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      if (Date.now() > deadline) throw new Error(`did not happen in 20 s: ${look.toString()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Shuts the worker down, as a deployment does, and starts another. */
  async replaceWorker(): Promise<void> {
    await this.#stopWorker();
    this.#stopped = new AbortController();
    await this.#begin();
  }

  /** Does `work` while no worker runs. */
  async withoutWorker(work: () => Promise<void>): Promise<void> {
    await this.#stopWorker();
    this.#stopped = new AbortController();
    try {
      await work();
    } finally {
      await this.#begin();
    }
  }

  async stop(): Promise<void> {
    await this.#stopWorker();
    await this.env.teardown();
  }

  async #stopWorker(): Promise<void> {
    this.#stopped.abort();
    await this.#worker;
  }

  /** Heartbeats are hardly throttled, so that a cancellation arrives at once. */
  async #begin(): Promise<this> {
    const delegates = Object.keys(this.#activities).map((name) => [
      name,
      (input: never) => (this.#activities[name as keyof Activities] as (input: never) => Promise<unknown>)(input),
    ]);
    const worker = await Worker.create({
      connection: this.env.nativeConnection,
      taskQueue: WorkflowTests.taskQueue,
      workflowBundle: await workflowBundle(),
      activities: Object.fromEntries(delegates) as Activities,
      maxHeartbeatThrottleInterval: 50,
      defaultHeartbeatThrottleInterval: 50,
    });
    const stopped = new Promise<void>((resolve) => this.#stopped.signal.addEventListener('abort', () => resolve()));
    this.#worker = worker.runUntil(stopped);
    return this;
  }
}

/** On a busy machine a server may need longer than the five seconds after which the SDK gives up on it. */
async function patiently<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (attempt === 4) throw error;
    }
  }
}

let installed = false;

function quiet(): void {
  if (installed) return;
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' } } },
  });
  installed = true;
}
