import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readCertificate, readCertificates } from '../../src/x509/read.js';
import { aCa } from '../support/certificates.js';

describe('readCertificates', () => {
  it('reads a bundle in its order, with comments and blank lines between', async () => {
    const [one, two] = [(await aCa()).certificate, (await aCa()).certificate];
    assert.deepEqual(readCertificates(`# ours\n${one.pem}\n\n${two.pem}`), [one, two]);
  });

  it('refuses a bundle that holds something that is no certificate', async () => {
    const { pem } = (await aCa()).certificate;
    assert.throws(() => readCertificates(`${pem}garbage`), /no certificate/);
    assert.throws(() => readCertificates(pem.replace(/\n[A-Za-z0-9+/]{8}/, '\nAAAAAAAA')), /cannot be read/);
    assert.throws(() => readCertificate(pem + pem), /expected one certificate, found 2/);
  });
});
