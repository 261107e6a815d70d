import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { operationId, type OperationIdParts } from '../../src/cloud/operation-id.js';
import type { CertificateFacts } from '../../src/domain/certificate.js';
import { aCa } from '../support/certificates.js';

describe('safety 10: an operation id is the intent and the state that it was decided on', () => {
  let [one, two]: CertificateFacts[] = [];
  let parts: OperationIdParts;
  before(async () => {
    [one, two] = (await Promise.all([aCa(), aCa()])).map((ca) => ca.certificate);
    const filters = [{ commonName: 'a', organization: 'b' }, { commonName: 'c' }];
    const wanted = { bundle: [one!, two!], filters };
    parts = { generation: 'run-1/trust', namespace: 'orders.acct1', wanted, resourceVersion: '1', dead: [] };
  });

  it('the order of CAs, filters and fields makes no other operation', () => {
    const filters = [{ commonName: 'c' }, { organization: 'b', commonName: 'a' }];
    assert.equal(operationId({ ...parts, wanted: { bundle: [two!, one!], filters } }), operationId(parts));
  });

  it('every part of it makes another operation', () => {
    const { wanted } = parts;
    const others: Partial<OperationIdParts>[] = [
      { generation: 'run-2/trust' },
      { namespace: 'orders.acct2' },
      { wanted: { ...wanted, bundle: [one!] } },
      { wanted: { ...wanted, filters: [] } },
      { wanted: { ...wanted, filters: [{ organization: 'a', commonName: 'b' }, { commonName: 'c' }] } },
      { resourceVersion: '2' },
      { dead: [operationId(parts)] },
    ];
    const ids = [parts, ...others.map((other) => ({ ...parts, ...other }))].map(operationId);
    assert.equal(new Set(ids).size, others.length + 1);
  });
});
