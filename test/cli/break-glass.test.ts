import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withoutCompromised } from '../../src/cli/break-glass.js';
import { readCertificates } from '../../src/x509/read.js';
import { aCa } from '../support/certificates.js';

describe('safety 43: `break-glass restore` brings back no CA whose key leaked', () => {
  it('of a file that was saved before, it restores the others', async () => {
    const [leaked, clean] = [(await aCa()).certificate, (await aCa({ organization: 'Clean' })).certificate];
    const namespaces = [{ namespace: 'one', bundle: leaked.pem + clean.pem, filters: [] }];
    const saved = { version: 1, kind: 'savedTrust', at: '2026-11-24T00:00:00.000Z', namespaces } as const;
    const bundleOf = (compromised: readonly string[]) =>
      readCertificates(withoutCompromised(saved, new Set(compromised)).namespaces[0]!.bundle);
    assert.deepEqual(
      bundleOf([leaked.fingerprint]).map(({ fingerprint }) => fingerprint),
      [clean.fingerprint],
    );
    assert.equal(bundleOf([]).length, 2);
  });
});
