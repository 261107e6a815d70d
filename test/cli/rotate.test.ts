import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { mayStart } from '../../src/cli/rotate.js';
import { loadConfig, type LoadedConfig } from '../../src/config/load.js';

const example = fileURLToPath(new URL('../../examples/temporal-booking/rotation.yaml', import.meta.url));

describe('safety 23: where two approvers must approve, a rotation is started by hand only', () => {
  const authority = 'temporal-booking';
  let loaded: LoadedConfig;
  before(async () => {
    loaded = await loadConfig(example);
  });

  const startedBy = (who: string | undefined, names: readonly string[]) => () => {
    const approvers = Object.fromEntries(names.map((name) => [name, { publicKey: '' }]));
    const config = structuredClone({ ...loaded.config });
    Object.assign(config.authorities[authority]!.approval, { secondPerson: true, approvers });
    mayStart(authority, who)({ ...loaded, config });
  };

  it('by somebody who says who they are', () => {
    assert.throws(startedBy(undefined, ['ann', 'bob']), /neither of them whoever starts it: say --who/);
    startedBy('carl', ['ann', 'bob'])();
  });

  it('by somebody without whom two approvers are left', () => {
    assert.throws(startedBy('Ann', ['ann', 'bob']), /Ann may not approve what they start.*somebody else must start it/);
    startedBy('ann', ['ann', 'bob', 'carl'])();
  });

  it('and by anybody otherwise', () => mayStart(authority, undefined)(loaded));
});
