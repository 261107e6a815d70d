import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { parsed } from '../../src/x509/parsed.js';
import { aCa, aLeaf } from '../support/certificates.js';

describe('a certificate that was read lately is not read again', () => {
  it('the same text, with or without white space around it, is the same certificate', async () => {
    const { certificate } = await aCa();
    assert.equal(parsed(certificate.pem), parsed(`\n${certificate.pem.trim()}\n\n`));
  });

  it('a leaf of the same CA, names and times is another one', async () => {
    const [ca, now] = [await aCa(), new Date()];
    const [one, other] = [await aLeaf(ca, { now }), await aLeaf(ca, { now })];
    for (const { certificate, key } of [one, other]) {
      const { x509 } = parsed(certificate.pem);
      assert.equal(x509.fingerprint256, new X509Certificate(certificate.pem).fingerprint256);
      assert.ok(x509.checkPrivateKey(key.keyObject()));
    }
    assert.notEqual(parsed(one.certificate.pem), parsed(other.certificate.pem));
  });

  it('text that is no certificate is refused each time', () => {
    for (const text of ['', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])
      for (const _ of [1, 2]) assert.throws(() => parsed(text));
  });

  it('those asked for long ago are forgotten, and read again when they are asked for again', async () => {
    const ca = await aCa();
    const first = parsed(ca.certificate.pem);
    for (let count = 0; count < 64; count += 1) parsed((await aLeaf(ca)).certificate.pem);
    for (let count = 0; count < 64; count += 1) parsed((await aLeaf(ca)).certificate.pem);
    assert.notEqual(parsed(ca.certificate.pem), first);
    assert.equal(parsed(ca.certificate.pem).x509.fingerprint256, first.x509.fingerprint256);
  });
});
