import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Client, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { createActivities, type Activities } from '../../src/activities/index.js';
import { caRotationId } from '../../src/domain/ids.js';
import type { Notification, NotificationEvent } from '../../src/domain/notification.js';
import type { CaRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa as aForeignCa } from '../support/certificates.js';
import { typeOf } from '../support/failures.js';
import { aCa, aWorld, booking, type World } from '../support/fakes.js';
import { listing } from '../support/listing.js';
import { placesWithKeys, type Place } from '../support/key-scan.js';
import { lockedOut } from '../support/locked-out.js';
import { WorkflowTests } from '../support/temporal-env.js';
import { historyWithChildren } from '../support/witness.js';
import { keysOf, noteHeartbeats, tracesOfWorld, worldTraces } from '../support/world-traces.js';

const [hour, day] = [3_600_000, 86_400_000];
const days = 365;
const timezone = 'Europe/Zurich';
const daysBeforeRotation = 105;
/** Time that does not pass, because an activity waits for something that never comes, ends the test. */
const patience = { timeout: 400_000 };

/** Workloads are restarted in the nights of working days, an old CA is removed on Saturdays; and one week is frozen. */
function windowsFrom(start: number) {
  const date = (offset: number) => new Date(start + offset * day).toISOString().slice(0, 10);
  const monday = [40, 41, 42, 43, 44, 45, 46].find((offset) => wall(start + offset * day).weekday === 'Mon')!;
  return {
    timezone,
    restarts: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '22:00', to: '02:00' }],
    removals: [{ days: ['sat'], from: '08:00', to: '18:00' }],
    freeze: [{ from: date(monday), to: date(monday + 6) }],
  };
}

/** What the clocks on the walls of the time zone show. */
function wall(at: number): { readonly date: string; readonly weekday: string; readonly hour: number } {
  const options = { timeZone: timezone, weekday: 'short', hour: 'numeric', hourCycle: 'h23' } as const;
  const parts = new Intl.DateTimeFormat('en-GB', options).formatToParts(at);
  const part = (type: string) => parts.find((one) => one.type === type)!.value;
  const date = new Intl.DateTimeFormat('sv-SE', { timeZone: timezone }).format(at);
  return { date, weekday: part('weekday'), hour: Number(part('hour')) };
}

/** A namespace, its people and its schedules, over time that is skipped. */
class Life {
  readonly told: Notification[] = [];
  readonly heartbeats: Place[] = [];
  readonly lockedOut: string[] = [];
  readonly restarts: number[] = [];
  readonly removals: number[] = [];
  /** Authorities whose rotation the watch wants started: the test server's clock stands still once the child of an ended workflow fails. */
  readonly due: string[] = [];
  readonly #tests: WorkflowTests;
  readonly #world: World;

  constructor(tests: WorkflowTests, world: World) {
    this.#tests = tests;
    this.#world = world;
  }

  /** The activities of the world by the server's clock; whoever is locked out is seen before and after each of them. */
  activities(): Activities {
    const { deps, cloud, target } = this.#world;
    const send = async (notification: Notification) => {
      this.told.push(notification);
      return { warnings: [] };
    };
    // Not that of the test environment: it lets time pass while it waits for a result.
    const client = new Client({ connection: this.#tests.env.connection });
    const real = {
      ...createActivities({ ...deps, client: () => listing(client), notifier: () => ({ send }) }),
      followRotation: following(client),
    };
    const { takeNotices } = real;
    real.takeNotices = async (input) => {
      const task = await takeNotices(input);
      this.due.push(...task.rotate.map(({ authority }) => authority));
      return { ...task, rotate: [], rotateLeaves: [] };
    };
    target.before = (verb) => {
      if (verb === 'rollOut') this.restarts.push(deps.now().getTime());
    };
    cloud.afterWrite = (generation) => {
      if (generation.endsWith('/remove')) this.removals.push(deps.now().getTime());
      this.lockedOut.push(...lockedOut(this.#world));
    };
    const observed = Object.entries(real).map(([name, activity]) => [
      name,
      async (input: never) => {
        noteHeartbeats(this.heartbeats);
        this.#world.clockOffsetMs = (await this.#tests.env.currentTimeMs()) - Date.now();
        this.lockedOut.push(...lockedOut(this.#world));
        const result: unknown = await (activity as (given: never) => Promise<unknown>)(input);
        this.lockedOut.push(...lockedOut(this.#world));
        return result;
      },
    ]);
    return Object.fromEntries(observed) as Activities;
  }

  of(event: NotificationEvent): readonly Notification[] {
    return this.told.filter((notification) => notification.event === event);
  }
}

/** While an activity runs no time is skipped: instead of waiting, this one asks to be called again later. */
const following =
  (client: Client): Activities['followRotation'] =>
  async ({ workflowId }) => {
    const handle = client.workflow.getHandle(workflowId);
    if ((await handle.describe()).status.name === 'RUNNING')
      throw ApplicationFailure.create({ message: `${workflowId} runs`, nextRetryDelay: '1h' });
    return handle.result();
  };

describe('a whole year of a namespace, with its time skipped', () => {
  let tests: WorkflowTests;
  let world: World;
  let life: Life;
  let start: number;
  const runs: WorkflowHandle[] = [];
  let abandoned: WorkflowHandle | undefined;
  let resumed: WorkflowHandle | undefined;
  let foreign: KeyPair;

  before(async () => {
    tests = await WorkflowTests.skippingTime();
    start = await tests.env.currentTimeMs();
    const now = new Date(start - (365 - 60 - daysBeforeRotation) * day);
    const old = await aCa(1, { now });
    world = await aWorld({
      old,
      authority: { renewBefore: '60d' },
      timing: { connectionAge: '20ms', connectionAgeGrace: '10ms', watch: '40ms', soak: '7m' },
      config: { windows: windowsFrom(start), notifiers: { team: { kind: 'log' } } },
    });
    foreign = await aForeignCa({ organization: 'Colleagues', now: new Date(start - 265 * day), lifetimeMs: 365 * day });
    const trust = world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...trust, bundle: [...trust.bundle, foreign.certificate] });
    life = new Life(tests, world);
    const activities = life.activities();
    tests.use({ activities, calls: [], names: () => [] });
    for (let today = 0; today < days; today += 1) await live(today);
    for (const run of runs) await run.result();
  }, patience);
  after(() => tests?.stop());

  /** As the schedules do, of which the test server has none. */
  async function live(today: number): Promise<void> {
    await sleepUntil(midnight(today) + 4 * hour);
    runs.push(
      await tests.start('scheduledLeafRotation', `scheduled-leaf-rotation-${today}`),
      await tests.start('expiryNotices', `expiry-notices-${today}`),
    );
    await people(midnight(today) + 4 * hour);
  }

  async function sleepUntil(at: number): Promise<void> {
    const ms = at - (await tests.env.currentTimeMs());
    if (ms > 0) await tests.env.sleep(ms);
  }

  const midnight = (today: number) => Math.ceil(start / day) * day + today * day;

  /** On holiday when they are asked; back later, they take the removal up again, and decide after two reminders. */
  async function people(now: number): Promise<void> {
    const id = caRotationId('booking');
    if (life.due.splice(0).length > 0)
      await tests.start('caRotation', id, { authority: 'booking' }).catch((error: Error) => {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      });
    const [failure] = life.of('failed');
    if (failure && !abandoned) abandoned = tests.env.client.workflow.getHandle(id, failure.workflow!.runId);
    if (failure && !resumed && now > Date.parse(failure.at) + 3 * day)
      resumed = await tests.start('caRotation', id, { authority: 'booking', who: 'ada' });
    if (!resumed) return;
    const asked = life.of('approvalWanted').filter(({ workflow }) => workflow!.runId === runOf(resumed));
    const status = await resumed.query<RotationStatus>('status');
    if (asked.length < 3 || status.phase !== 'approve' || !status.question) return;
    await resumed.signal('approveCaRemoval', { who: 'ada', why: 'all moved', evidence: status.question.evidence });
  }

  const runOf = (handle: WorkflowHandle | undefined) =>
    (handle as { firstExecutionRunId?: string } | undefined)?.firstExecutionRunId;

  it('safety 4: at no moment has a pod a leaf that expired, or one of a CA that is not trusted', () => {
    assert.deepEqual(life.lockedOut, []);
  });

  it('the CA is rotated once, before it expires; the approval that nobody gave is taken up again later', async () => {
    assert.equal(typeOf(await tests.failureOf(abandoned!)), 'ApprovalExpired');
    const { outcome, newFingerprint } = (await resumed!.result()) as CaRotationResult;
    assert.equal(outcome, 'rotated');
    assert.deepEqual(world.bundle(), [newFingerprint]);
    assert.equal(world.keystore.created.filter((name) => name.startsWith('ca.')).length, 2);
    assert.equal(life.removals.length, 1);
  });

  it('restarts and the removal happen in their windows alone, which do not overlap, and never in the frozen week', () => {
    const [frozen] = windowsFrom(start).freeze;
    for (const { date } of [...life.restarts, ...life.removals].map(wall))
      assert.ok(date < frozen!.from || date > frozen!.to, `${date} is frozen`);
    assert.deepEqual(
      life.removals.map((at) => wall(at).weekday),
      ['Sat'],
    );
    assert.deepEqual(
      life.restarts.map(wall).filter(({ weekday, hour: at }) => at !== 22 || ['Sat', 'Sun'].includes(weekday)),
      [],
    );
  });

  it('the leaf is renewed in every window of the year, once, and nobody is restarted twice', (test) => {
    const [frozen] = windowsFrom(start).freeze;
    const evenings = Array.from({ length: days }, (_, today) => wall(midnight(today) + 12 * hour));
    const weekend = ({ weekday }: { weekday: string }) => ['Sat', 'Sun'].includes(weekday);
    const open = evenings.filter((one) => !weekend(one) && (one.date < frozen!.from || one.date > frozen!.to));
    // What was due on a last weekend is renewed on the Monday after it.
    const expected = open.length + (weekend(evenings.at(-1)!) ? 1 : 0);
    assert.equal(world.target.deliveries.length, expected);
    assert.deepEqual(world.target.rollouts, world.target.deliveries);
    test.diagnostic(`${days} days: ${expected} leaves, 1 CA, ${life.told.length} messages`);
  });

  it('people are told once at each step before an end, and reminded until they decide', () => {
    const told = (fingerprint: string) =>
      life.of('expiry').filter(({ certificates }) => certificates!.some((one) => one.fingerprint === fingerprint));
    assert.equal(told(foreign.certificate.fingerprint).length, 7, '60, 30, 14, 7, 3, 1 days and its end');
    assert.equal(told(world.old.certificate.fingerprint).length, 1, 'it left before the next step');
    const count = (event: NotificationEvent) => life.of(event).length;
    assert.deepEqual(
      { asked: count('approvalWanted'), failed: count('failed'), done: count('caDone'), restored: count('restored') },
      // Five days without a decision, a question and a reminder each; then the third time of the second question.
      { asked: 5 + 3, failed: 1, done: 1, restored: 0 },
    );
  });

  it('safety 8: no key of the year is in a history, heartbeat, record, message or entry of the keystore', async () => {
    const places = [
      ...life.heartbeats,
      ...tracesOfWorld(world),
      ...life.told.map((message) => ({ name: 'a message', content: Buffer.from(JSON.stringify(message)) })),
    ];
    const ran = [...runs, resumed!].map((handle) => ({ workflowId: handle.workflowId, runId: runOf(handle) }));
    for (const { workflowId, runId } of [...ran, life.of('failed')[0]!.workflow!])
      places.push(...(await historyWithChildren(tests.env.client, workflowId, runId)));
    const keys = keysOf(world);
    assert.ok(keys.length > days / 2, `only ${keys.length} keys`);
    assert.deepEqual(placesWithKeys(places, keys, [...worldTraces, /^a message$/]), []);
  });
});
