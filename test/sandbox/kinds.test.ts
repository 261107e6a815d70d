import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, describe, it } from 'node:test';
import { parse, stringify } from 'yaml';
import { parseConfig } from '../../src/config/load.js';
import { booking } from '../../src/sandbox/configuration.js';
import { chosenKinds, kindsOf, withKinds, type Kinds, type Seam } from '../../src/sandbox/kinds.js';

const seams = Object.keys(kindsOf) as Seam[];
const all = seams.reduce<readonly Partial<Record<Seam, string>>[]>(
  (some, seam) => some.flatMap((one) => kindsOf[seam].map((kind) => ({ ...one, [seam]: kind }))),
  [{}],
);

describe('the kinds that a sandbox is made of', () => {
  let example: Record<string, object>;
  before(async () => {
    example = parse(await readFile('examples/temporal-booking/rotation.yaml', 'utf8')) as Record<string, object>;
  });

  const program = (name: string) => ({ binary: `/opt/${name}`, sha256: '0'.repeat(64) });
  const programs = { tcld: program('tcld'), certstrap: program('certstrap'), temporal: program('temporal') };
  const madeOf = (kinds: Kinds, config = example) => withKinds(config, kinds, programs, booking);

  it('are the usual ones where none is named', () => {
    const usual = { cloud: 'ops-api', issuer: 'builtin', probe: 'client', rollout: 'rolling' };
    assert.deepEqual(chosenKinds({}), usual);
    assert.deepEqual(chosenKinds({ issuer: 'tcld', rollout: 'scale' }), { ...usual, issuer: 'tcld', rollout: 'scale' });
  });

  it('are refused by name when there is none of that, with those that there are', () =>
    assert.throws(() => chosenKinds({ issuer: 'vault' }), /no issuer "vault": use one of builtin, tcld, certstrap/));

  it('make, in every combination, a configuration that the rotation worker takes, with the programs that they run', () => {
    assert.equal(all.length, 24);
    for (const named of all) {
      const { cloud, issuer, probe, rollout } = chosenKinds(named);
      const file = stringify(madeOf({ cloud, issuer, probe, rollout }));
      const { config } = parseConfig(file, 'rotation.yaml', '/');
      const { issuer: made } = config.authorities[booking.authority]!;
      assert.deepEqual(
        [config.cloud.kind, made.kind, config.probe.kind, config.targets[booking.target]!.rollout],
        [cloud, issuer, probe, rollout],
      );
      const binaries = [config.cloud, made, config.probe].flatMap((one) => ('binary' in one ? one.binary : []));
      const run = [cloud, issuer, probe].map((kind) => kind.replace('temporal-cli', 'temporal'));
      assert.deepEqual(
        binaries,
        run.filter((kind) => kind in programs).map((kind) => `/opt/${kind}`),
      );
    }
  });

  it('replace those that a configuration had before, and nothing else of it', () => {
    const usual = madeOf(chosenKinds({}));
    const other = madeOf({ cloud: 'tcld', issuer: 'certstrap', probe: 'temporal-cli', rollout: 'scale' });
    assert.deepEqual(madeOf(chosenKinds({}), { ...other }), usual);
  });
});
