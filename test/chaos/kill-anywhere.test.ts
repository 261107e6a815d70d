import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { caRotated, leafRotated } from '../support/end-state.js';
import { aWorld, type World } from '../support/fakes.js';
import { Killer } from '../support/killer.js';
import { OneFault } from '../support/one-fault.js';
import { ca, leaf, Slots, timing, type Rotation, type Slot } from '../support/slots.js';

const rotations: readonly (Rotation & { readonly check: (world: World) => void })[] = [
  { ...leaf, check: leafRotated },
  { ...ca, check: caRotated },
];

describe('safety 44: the worker is killed at any place, and the rotation ends as if nothing had happened', () => {
  let slots: Slots;
  before(async () => {
    slots = await Slots.begin();
  });
  after(() => slots?.stop());

  for (const { check, ...rotation } of rotations) {
    it(`safety 44: ${rotation.workflow}`, async (test) => {
      const rotate = async (slot: Slot, killer: Killer) => {
        const world = await aWorld({ timing });
        slot.use(killer.activities(world));
        await slot.rotate(rotation);
        check(world);
      };
      const clean = new Killer();
      await rotate(slots.all[0]!, clean);
      assert.ok(clean.places.length > 20, clean.places.join('\n'));
      const broken = await slots.each(clean.places, async (slot, place) => {
        const killer = new Killer(place);
        await rotate(slot, killer);
        assert.equal(killer.kills, 1, 'was not reached');
      });
      assert.deepEqual(broken, []);
      test.diagnostic(`kills survived: ${clean.places.length} in ${rotation.workflow}`);
    });
  }

  for (const { check, ...rotation } of rotations) {
    it(`safety 44: ${rotation.workflow}, each call of the keystore and of a target fails once, before or after its effect`, async (test) => {
      const rotate = async (slot: Slot, trouble: OneFault) => {
        const world = await aWorld({ timing });
        slot.use(trouble.activities(world));
        await slot.rotate(rotation);
        check(world);
      };
      const clean = new OneFault();
      await rotate(slots.all[0]!, clean);
      assert.ok(clean.places.length > 40, clean.places.join('\n'));
      const broken = await slots.each(clean.places, async (slot, place) => {
        const trouble = new OneFault(place);
        await rotate(slot, trouble);
        assert.equal(trouble.faults, 1, 'was not reached');
      });
      assert.deepEqual(broken, []);
      test.diagnostic(`faults survived: ${clean.places.length} in ${rotation.workflow}`);
    });
  }
});
