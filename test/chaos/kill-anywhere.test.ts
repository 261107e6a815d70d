import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Client, type WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import type { Activities } from '../../src/activities/index.js';
import type { RotationStatus } from '../../src/domain/rotation.js';
import { signedBy } from '../../src/x509/read.js';
import { aWorld, type World } from '../support/fakes.js';
import { Killer } from '../support/killer.js';
import { WorkflowTests } from '../support/temporal-env.js';
import { workflowBundle } from '../support/workflow-bundle.js';

const taskQueue = 'cert-rotation';

interface Rotation {
  readonly workflow: 'caRotation' | 'leafRotation';
  readonly workflowId: string;
  readonly input: object;
  /** The same whatever happened on the way. */
  readonly check: (this: void, world: World) => void;
}

const leaf: Rotation = {
  workflow: 'leafRotation',
  workflowId: 'leaf/worker',
  input: { target: 'worker' },
  check(world) {
    assert.deepEqual(world.bundle(), [world.old.certificate.fingerprint]);
    onOneLeafOf(world, world.old.certificate.fingerprint);
  },
};

const ca: Rotation = {
  workflow: 'caRotation',
  workflowId: 'ca/booking',
  input: { authority: 'booking' },
  check(world) {
    const { generation, current, next, signing, retiring } = world.record();
    assert.deepEqual([generation, next, retiring], [2, undefined, undefined]);
    assert.notEqual(current, world.old.certificate.fingerprint);
    assert.equal(signing, current);
    assert.deepEqual(world.bundle(), [current]);
    onOneLeafOf(world, current!);
    const records = [...world.keystore.entries.keys()].filter((name) => name.startsWith('rotation.'));
    assert.equal(records.length, 1, 'the end is not on record once');
  },
};

/** One CA at the most was made besides the one that there was, one new leaf was made and delivered, every pod was restarted onto it once, and no key but the CA's own rests in the keystore. */
function onOneLeafOf({ target, keystore }: World, fingerprint: string): void {
  const kept = [...keystore.entries.values()];
  const cas = kept.filter(({ name }) => name.startsWith('ca.'));
  assert.deepEqual(
    kept.map(({ name }) => name).filter((name) => !/^(ca|authority|trust|rotation)\./.test(name)),
    [],
  );
  assert.deepEqual(
    cas.map(({ certificate }) => certificate?.fingerprint),
    [fingerprint],
  );
  const made = (kind: string) => keystore.created.filter((name) => name.startsWith(kind)).length;
  assert.deepEqual([made('ca.'), made('leaf.')], [cas[0]!.name === keystore.created[0] ? 1 : 2, 1]);
  const delivered = target.pair!.certificate;
  assert.ok(signedBy(delivered, cas[0]!.certificate!));
  assert.deepEqual(target.deliveries, [delivered.fingerprint]);
  assert.deepEqual([...new Set(target.rollouts)], [delivered.fingerprint]);
  assert.deepEqual(
    target.pods.map((pod) => pod.leaf),
    target.pods.map(() => delivered.fingerprint),
  );
}

/** A Temporal namespace and its worker, which carries out one rotation after another. */
class Slot {
  readonly #client: Client;
  #killer = new Killer();
  #activities: Activities | undefined;
  readonly #stopped = new AbortController();
  #ended: Promise<void> = Promise.resolve();

  constructor(tests: WorkflowTests, namespace: string) {
    this.#client = new Client({ connection: tests.env.connection, namespace });
  }

  async begin(tests: WorkflowTests): Promise<this> {
    const names = Object.keys(this.#killer.activities(await aWorld())) as (keyof Activities)[];
    const delegate = (name: keyof Activities) => (input: never) =>
      (this.#activities![name] as (given: never) => Promise<unknown>)(input);
    const worker = await Worker.create({
      connection: tests.env.nativeConnection,
      namespace: this.#client.options.namespace,
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

  /** Runs the rotation of a new world to its end; a person approves. */
  async rotate({ workflow, workflowId, input, check }: Rotation, killer: Killer): Promise<void> {
    const timing = { connectionAge: '20ms', connectionAgeGrace: '10ms', soak: '40ms', watch: '40ms' };
    const world = await aWorld({ timing });
    this.#activities = killer.activities(world);
    const handle = await this.#client.workflow.start(workflow, { workflowId, taskQueue, args: [input] });
    const over = new AbortController();
    const ended = handle.result().finally(() => over.abort());
    if (workflow === 'caRotation') await Promise.race([ended, approved(handle, over.signal)]);
    await ended;
    check(world);
  }
}

/** Approves once that is asked for. */
async function approved(handle: WorkflowHandle, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const { phase, question } = await handle.query<RotationStatus>('status');
    if (phase === 'approve' && question)
      return handle.signal('approveCaRemoval', { who: 'ada', why: 'tested', evidence: question.evidence });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe('safety 44: the worker is killed at any place, and the rotation ends as if nothing had happened', () => {
  let tests: WorkflowTests;
  let slots: readonly Slot[] = [];
  before(async () => {
    const namespaces = ['one', 'two', 'three', 'four'];
    const env = await WorkflowTests.onDevServer(namespaces.flatMap((namespace) => ['--namespace', namespace]));
    tests = env;
    slots = await Promise.all(namespaces.map((namespace) => new Slot(env, namespace).begin(env)));
  });
  after(async () => {
    await Promise.all(slots.map((slot) => slot.stop()));
    await tests?.stop();
  });

  for (const rotation of [leaf, ca]) {
    it(`safety 44: ${rotation.workflow}`, async (test) => {
      const clean = new Killer();
      await slots[0]!.rotate(rotation, clean);
      const places = [...clean.places];
      assert.ok(places.length > 20, places.join('\n'));
      const broken: string[] = [];
      await Promise.all(
        slots.map(async (slot) => {
          for (let place = places.shift(); place !== undefined; place = places.shift()) {
            const killer = new Killer(place);
            await slot.rotate(rotation, killer).catch((error: Error) => broken.push(`${place}: ${error.message}`));
            if (!killer.killed) broken.push(`${place} was not reached`);
          }
        }),
      );
      assert.deepEqual(broken, []);
      test.diagnostic(`kills survived: ${clean.places.length} in ${rotation.workflow}`);
    });
  }
});
