import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { parseConfig } from '../src/config/load.js';
import { assertPrograms } from '../src/programs.js';

function configured({ cloud, probe, issuer }: { cloud?: object; probe?: object; issuer?: object }) {
  const authority = { subject: { organization: 'Shop' }, namespaces: ['shop.acct'] };
  const config = {
    version: 1,
    temporal: {},
    cloud: { kind: 'ops-api', apiKey: { env: 'API_KEY' }, ...cloud },
    keystore: { kind: 'kubernetes', encryptionKey: { env: 'ENCRYPTION_KEY' } },
    namespaces: { 'shop.acct': {} },
    authorities: { shop: { ...authority, ...(issuer && { issuer }) }, other: { ...authority, sharedTrust: true } },
    targets: {},
    ...(probe && { probe }),
  };
  return parseConfig(stringify(config), 'rotation.yaml', '/').config;
}

describe('the programs that a rotation runs are looked at before it changes anything', () => {
  const missing = { binary: '/nowhere/program' };
  const uses = {
    'cloud tcld': configured({ cloud: { kind: 'tcld', ...missing } }),
    'probe temporal-cli': configured({ probe: { kind: 'temporal-cli', ...missing } }),
    'issuer tcld': configured({ issuer: { kind: 'tcld', ...missing } }),
    'issuer certstrap': configured({ issuer: { kind: 'certstrap', ...missing } }),
  };
  for (const [use, config] of Object.entries(uses))
    it(`${use}: one that is not there is ToolMissing`, async () => {
      await assert.rejects(assertPrograms(config, 'shop'), { type: 'ToolMissing', message: /program/ });
    });

  it('the issuer of another authority does not matter, and what needs no program asks for none', async () => {
    await assertPrograms(uses['issuer certstrap'], 'other');
    await assertPrograms(configured({}), 'shop');
  });
});
