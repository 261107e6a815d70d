import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { phaseOfActivity, type CaRotationResult, type RotationStatus } from '../../src/domain/rotation.js';
import { caRotated } from '../support/end-state.js';
import { eventually } from '../support/eventually.js';
import { typeOf } from '../support/failures.js';
import { aWorld, type World } from '../support/fakes.js';
import { Killer } from '../support/killer.js';
import { Calls } from '../support/locked-out.js';
import { ca, people, Slots, timing, type Slot } from '../support/slots.js';

describe('safety 44: a CA rotation that a person terminates or resets ends as if nobody had', () => {
  let slots: Slots;
  before(async () => {
    slots = await Slots.begin();
  });
  after(() => slots?.stop());

  async function inAWorld(work: (world: World) => Promise<void>): Promise<void> {
    const world = await aWorld({ timing });
    const pods = new Calls(world);
    try {
      await work(world);
      assert.deepEqual(pods.failed, []);
    } finally {
      pods.stop();
    }
  }

  /** The run that is open now, or was last, to its end; a person approves. */
  async function followed(slot: Slot): Promise<string> {
    const handle = slot.client.workflow.getHandle(ca.workflowId);
    const over = new AbortController();
    const ended = handle.result().finally(() => over.abort());
    const [result] = await Promise.all([ended, people(handle, over.signal)]);
    return (result as CaRotationResult).outcome;
  }

  it('safety 44: terminated with its worker dead at any place, and started anew', async (test) => {
    const clean = new Killer();
    await inAWorld(async (world) => {
      slots.all[0]!.use(world, clean.activities(world));
      await slots.all[0]!.rotate(ca);
    });
    // Once its end is on the authority's record it is over, and a new start is the next rotation.
    const over = clean.places.indexOf('finishCa (1) update authority: before the answer');
    const own = clean.places.slice(0, over).filter((place) => !ofALeaf.test(place));
    assert.ok(own.length > 20, own.join('\n'));
    const broken = await slots.each(own, (slot, place) =>
      inAWorld(async (world) => {
        const killer = new Killer(place);
        slot.use(world, killer.activities(world));
        const first = await slot.start(ca);
        const dead = new AbortController();
        const approving = people(first, dead.signal).catch(() => undefined);
        await eventually(async () => killer.struck === 1);
        await first.terminate('a person lost patience');
        dead.abort();
        await approving;
        await slot.rotate(ca);
        // What the first run made and could not name yet is made again, and destroyed in the end.
        caRotated(world, { made: place.startsWith('issueCa') ? 3 : 2 });
      }),
    );
    assert.deepEqual(broken, []);
    test.diagnostic(`terminated at ${own.length} places`);
  });

  const phases = ['preflight', 'issue', 'trust', 'filters', 'leaves', 'confirm'] as const;

  it('safety 44: reset to each phase while it waits for the approval', async () => {
    const broken = await slots.each(phases, (slot, phase) =>
      inAWorld(async (world) => {
        slot.use(world, new Killer().activities(world));
        const handle = await slot.start(ca);
        await eventually(async () => (await handle.query<RotationStatus>('status')).phase === 'approve');
        await reset(slot, handle, phase);
        assert.equal(await followed(slot), 'rotated');
        caRotated(world);
      }),
    );
    assert.deepEqual(broken, []);
  });

  it('safety 44: reset to each phase while the removal is watched', async () => {
    const broken = await slots.each([...phases, 'remove'] as const, (slot, phase) =>
      inAWorld(async (world) => {
        const killer = new Killer('removeCa (1) the cloud is changed: before the answer');
        slot.use(world, killer.activities(world));
        const handle = await slot.start(ca);
        const over = new AbortController();
        const approving = people(handle, over.signal).catch(() => undefined);
        await eventually(async () => killer.struck === 1);
        over.abort();
        await reset(slot, handle, phase);
        await approving;
        assert.equal(await followed(slot), 'rotated');
        caRotated(world);
      }),
    );
    assert.deepEqual(broken, []);
  });

  it('safety 44: reset to each phase when it had ended already: what is done stays done', async () => {
    // From before it had a CA, it is the next rotation.
    const broken = await slots.each([...phases.slice(2), 'remove', 'finish'], (slot, phase) =>
      inAWorld(async (world) => {
        slot.use(world, new Killer().activities(world));
        await slot.rotate(ca);
        await reset(slot, slot.client.workflow.getHandle(ca.workflowId), phase);
        const end = await followed(slot).catch(typeOf);
        assert.equal(end, phase === 'finish' ? 'rotated' : 'RotationOver');
        caRotated(world, { runs: 2 });
      }),
    );
    assert.deepEqual(broken, []);
  });

  it('safety 8: no key of any of these rotations is in a history, heartbeat, record or entry of the keystore', async () =>
    assert.deepEqual(await slots.placesWithKeys(), []));
});

const ofALeaf =
  /^(resolveLeafRotation|preflightLeaf|issueLeaf|testConnection|updateTarget|rollOut|confirmAdoption|discardPairs) /;

/** As `temporal workflow reset` does, to before the first activity of the phase. */
async function reset({ client }: Slot, { workflowId }: WorkflowHandle, phase: string): Promise<void> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const first = events?.find(({ activityTaskScheduledEventAttributes: scheduled }) => {
    return scheduled && phaseOfActivity[scheduled.activityType?.name ?? ''] === phase;
  });
  assert.ok(first, `nothing of phase ${phase} in the history`);
  await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId },
    workflowTaskFinishEventId: first.activityTaskScheduledEventAttributes!.workflowTaskCompletedEventId!,
    requestId: `${workflowId}-${phase}-${Date.now()}`,
    reason: `back to ${phase}`,
  });
}
