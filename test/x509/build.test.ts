import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { buildCertificate, distinguishedName, extensions } from '../../src/x509/build.js';
import { generateKey } from '../../src/x509/generate.js';
import { publicKeyInfo, publicKeyOf } from '../../src/x509/public-key.js';
import { readCertificate } from '../../src/x509/read.js';
import { oracleHere } from '../support/oracle.js';

describe('buildCertificate', () => {
  const oracle = oracleHere();

  it('writes a public key as node exports it, whatever its type', async () => {
    for (const algorithm of ['P-256', 'P-384', 'RSA-2048'] as const) {
      const { privateKey, publicKey } = await generateKey(algorithm);
      const key = createPublicKey(privateKey.keyObject());
      const exported = key.export({ type: 'spki', format: 'der' });
      assert.deepEqual(publicKeyInfo(publicKey), exported);
      assert.deepEqual(publicKeyInfo(publicKeyOf(key)), exported);
    }
  });

  it('safety 1: whatever the bytes of a serial, Go and OpenSSL read a positive number of the same value', async () => {
    const { privateKey: key, publicKey } = await generateKey('P-256');
    const name = distinguishedName({ commonName: 'worker' });
    const serial = fc.uint8Array({ minLength: 1, maxLength: 19 }).filter((bytes) => bytes.some((byte) => byte > 0));
    fc.assert(
      fc.property(serial, (bytes) => {
        const pem = buildCertificate(
          {
            serial: Buffer.from(bytes),
            notBefore: new Date(Date.now() - 60_000),
            notAfter: new Date(Date.now() + 86_400_000),
            subject: name,
            issuer: name,
            publicKey,
            extensions: [extensions.ca],
          },
          key,
        );
        const [read] = oracle.verify(pem, pem, { strict: false }).roots;
        const wanted = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
        assert.deepEqual([BigInt(read!.serial), readCertificate(pem).serial], [wanted, wanted.toString(16)]);
      }),
      { numRuns: 40, examples: [[Uint8Array.of(0x80)], [Uint8Array.of(0, 0, 0x7f)], [Uint8Array.of(0, 0xff, 0)]] },
    );
  });
});
