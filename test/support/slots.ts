import { Client, type WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import type { Activities } from '../../src/activities/index.js';
import type { RotationStatus } from '../../src/domain/rotation.js';
import { eventually } from './eventually.js';
import { fakeActivities } from './fake-activities.js';
import type { World } from './fakes.js';
import { placesWithKeys, type Place } from './key-scan.js';
import { spread } from './spread.js';
import { WorkflowTests } from './temporal-env.js';
import { histories } from './witness.js';
import { workflowBundle } from './workflow-bundle.js';
import { keysOf, noteHeartbeats, tracesOfWorld, worldTraces } from './world-traces.js';

const taskQueue = 'cert-rotation';

export interface Rotation {
  readonly workflow: 'caRotation' | 'leafRotation';
  readonly workflowId: string;
  readonly input: object;
}

export const leaf: Rotation = { workflow: 'leafRotation', workflowId: 'leaf/worker', input: { target: 'worker' } };
export const ca: Rotation = { workflow: 'caRotation', workflowId: 'ca/booking', input: { authority: 'booking' } };

/** The waits of a rotation, cut short. */
export const timing = { connectionAge: '20ms', connectionAgeGrace: '10ms', soak: '40ms', watch: '40ms' };

/** A Temporal namespace and its worker, which carries out one rotation after another. */
export class Slot {
  readonly client: Client;
  /** Since it was looked for keys last. */
  #worlds: World[] = [];
  #heartbeats: Place[] = [];
  readonly #looked = { worlds: 0, runs: new Set<string>() };
  #activities: Activities | undefined;
  readonly #stopped = new AbortController();
  #ended: Promise<void> = Promise.resolve();

  constructor(tests: WorkflowTests, namespace: string) {
    this.client = new Client({ connection: tests.env.connection, namespace });
  }

  async begin(tests: WorkflowTests): Promise<this> {
    const names = Object.keys(fakeActivities().activities) as (keyof Activities)[];
    const delegate = (name: keyof Activities) => (input: never) => {
      noteHeartbeats(this.#heartbeats);
      return (this.#activities![name] as (given: never) => Promise<unknown>)(input);
    };
    const worker = await Worker.create({
      connection: tests.env.nativeConnection,
      namespace: this.client.options.namespace,
      taskQueue,
      workflowBundle: await workflowBundle(),
      activities: Object.fromEntries(names.map((name) => [name, delegate(name)])),
    });
    const stopped = new Promise<void>((resolve) => this.#stopped.signal.addEventListener('abort', () => resolve()));
    this.#ended = worker.runUntil(stopped);
    return this;
  }

  stop(): Promise<void> {
    this.#stopped.abort();
    return this.#ended;
  }

  /** The worker calls these, of that world, from now on. */
  use(world: World, activities: Activities): void {
    this.#worlds.push(world);
    this.#activities = activities;
  }

  start({ workflow, workflowId, input }: Rotation): Promise<WorkflowHandle> {
    return this.client.workflow.start(workflow, { workflowId, taskQueue, args: [input] });
  }

  /** Runs it to its end, whatever that is; a person approves, and has tried again what failed. */
  async rotate(rotation: Rotation): Promise<unknown> {
    const handle = await this.start(rotation);
    const over = new AbortController();
    const ended = handle.result().finally(() => over.abort());
    if (rotation.workflow === 'caRotation') await Promise.all([ended, people(handle, over.signal)]);
    return ended;
  }

  /** Where a key is and must not be, of its worlds since it was looked last; they are forgotten then, as a soak of hours needs. */
  async placesWithKeys(): Promise<readonly string[]> {
    const [worlds, heartbeats] = [this.#worlds, this.#heartbeats];
    [this.#worlds, this.#heartbeats] = [[], []];
    this.#looked.worlds += worlds.length;
    // A run is listed a moment after it began.
    await eventually(async () => (await this.client.workflow.count()).count >= this.#looked.worlds);
    const places = [
      ...(await histories(this.client, this.#looked.runs)),
      ...heartbeats,
      ...worlds.flatMap((world) => tracesOfWorld(world)),
    ];
    return placesWithKeys(places, worlds.flatMap(keysOf), worldTraces);
  }
}

/** Several slots on one dev server. */
export class Slots {
  readonly #tests: WorkflowTests;
  readonly all: readonly Slot[];

  private constructor(tests: WorkflowTests, all: readonly Slot[]) {
    this.#tests = tests;
    this.all = all;
  }

  static async begin(count = 4): Promise<Slots> {
    const namespaces = Array.from({ length: count }, (_, index) => `slot-${index}`);
    const tests = await WorkflowTests.onDevServer(namespaces.flatMap((namespace) => ['--namespace', namespace]));
    const all = namespaces.map((namespace) => new Slot(tests, namespace).begin(tests));
    return new Slots(tests, await Promise.all(all));
  }

  /** Every one of them, each in the next slot that is free; what each fails with, with its name. */
  async each<Item>(
    items: readonly Item[],
    work: (slot: Slot, item: Item) => Promise<void>,
    name?: (item: Item) => string,
  ): Promise<readonly string[]> {
    return spread(this.all, items, work, name);
  }

  /** Where a key of any world is and must not be. */
  async placesWithKeys(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const slot of this.all) found.push(...(await slot.placesWithKeys()));
    return found;
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((slot) => slot.stop()));
    await this.#tests.stop();
  }
}

/** Approves whenever that is asked for, and has tried again what waits for a person, until it is over. */
export async function people(handle: WorkflowHandle, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const { phase, question, waitingFor } = await handle.query<RotationStatus>('status');
    if (phase === 'approve' && question)
      await handle.signal('approveCaRemoval', { who: 'ada', why: 'tested', evidence: question.evidence });
    if (waitingFor.startsWith('a person, because of'))
      await handle.signal('retryTarget', { who: 'ada', why: 'mended' });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
