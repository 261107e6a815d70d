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

/** What goes wrong once, at a place of a rotation; without a place it only notes those that are passed. */
interface Trouble {
  readonly what: string;
  /** What they are counted as. */
  readonly plural: string;
  /** Fewest places that a rotation passes. */
  readonly fewest: number;
  readonly at: (place?: string) => Killer | OneFault;
}

const troubles: readonly Trouble[] = [
  { what: 'the worker is killed', plural: 'kills', fewest: 20, at: (place) => new Killer(place) },
  {
    what: 'each call of the keystore and of a target fails once, before or after its effect',
    plural: 'faults',
    fewest: 40,
    at: (place) => new OneFault(place),
  },
];

describe('safety 44: the worker is killed at any place, and the rotation ends as if nothing had happened', () => {
  let slots: Slots;
  before(async () => {
    slots = await Slots.begin();
  });
  after(() => slots?.stop());

  for (const { what, plural, fewest, at } of troubles)
    for (const { check, ...rotation } of rotations)
      it(`safety 44: ${rotation.workflow}, ${what}`, async (test) => {
        const rotate = async (slot: Slot, trouble: Killer | OneFault) => {
          const world = await aWorld({ timing });
          slot.use(world, trouble.activities(world));
          await slot.rotate(rotation);
          check(world);
        };
        const clean = at();
        await rotate(slots.all[0]!, clean);
        assert.ok(clean.places.length > fewest, clean.places.join('\n'));
        const broken = await slots.each(clean.places, async (slot, place) => {
          const trouble = at(place);
          await rotate(slot, trouble);
          assert.equal(trouble.struck, 1, 'was not reached');
        });
        assert.deepEqual(broken, []);
        test.diagnostic(`${plural} survived: ${clean.places.length} in ${rotation.workflow}`);
      });

  it('safety 8: no key of any of these rotations is in a history, heartbeat, record or entry of the keystore', async () =>
    assert.deepEqual(await slots.placesWithKeys(), []));
});
