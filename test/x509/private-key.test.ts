import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { defaultPayloadConverter } from '@temporalio/common';
import { PrivateKey } from '../../src/x509/private-key.js';

describe('PrivateKey', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  it('refuses to be serialised, printed, or to become a payload', () => {
    const key = new PrivateKey(privateKey);
    assert.throws(() => JSON.stringify({ nested: key }), TypeError);
    assert.throws(() => defaultPayloadConverter.toPayload({ nested: { key } }));
    const printed = `${String(key)}${inspect({ nested: { key } }, { depth: 9, showHidden: true })}`;
    assert.ok(!printed.includes('PRIVATE KEY-----'), 'the key is printed');
  });

  it('is kept as PKCS#8, whatever it was read from', () => {
    for (const type of ['sec1', 'pkcs8'] as const) {
      const pem = privateKey.export({ type, format: 'pem' }) as string;
      assert.equal(new PrivateKey(pem).reveal(), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    }
  });
});
