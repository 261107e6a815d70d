import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { defaultPayloadConverter } from '@temporalio/common';
import fc from 'fast-check';
import { createBuiltinIssuer } from '../../src/issuers/builtin.js';
import type { KeyAlgorithm } from '../../src/issuers/issuer.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { PrivateKey } from '../../src/x509/private-key.js';
import { readCertificates, signedBy } from '../../src/x509/read.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { buildOracle, type Oracle } from '../support/oracle.js';

const issuer = createBuiltinIssuer();
const year = 365 * 86_400_000;

describe('issuer builtin', () => {
  let folder: string;
  let oracle: Oracle;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
    oracle = await buildOracle(folder);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function verify(ca: KeyPair, leaf: KeyPair): void {
    const [caFile, leafFile] = [join(folder, 'ca.pem'), join(folder, 'leaf.pem')];
    writeFileSync(caFile, ca.certificate.pem);
    writeFileSync(leafFile, leaf.certificate.pem);
    execFileSync('openssl', ['verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', caFile, leafFile], {
      stdio: 'pipe',
    });
    oracle.verify(caFile, leafFile);
  }

  for (const algorithm of ['P-256', 'P-384', 'RSA-2048', 'RSA-3072', 'RSA-4096'] satisfies KeyAlgorithm[]) {
    it(`safety 1: what ${algorithm} makes is verified by Go's crypto/x509 and by OpenSSL`, async () => {
      const now = new Date();
      const ca = await issuer.createCa({
        subject: { organization: 'Acme' },
        algorithm,
        generation: 1,
        lifetimeMs: year,
        now,
      });
      const leaf = await issuer.issueLeaf(ca, {
        subject: { commonName: 'worker' },
        algorithm,
        lifetimeMs: year / 12,
        now,
      });
      verify(ca, leaf);
    });
  }

  it('safety 1: names with any characters survive, are verified by Go, and read back as given', async () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => text.trim() === text && !/[\p{C}]/u.test(text));
    await fc.assert(
      fc.asyncProperty(name, name, async (organization, commonName) => {
        const ca = await aCa({ organization });
        const leaf = await aLeaf(ca, { commonName });
        verify(ca, leaf);
        assert.deepEqual(leaf.certificate.commonNames, [commonName]);
        assert.deepEqual(ca.certificate.organizations, [organization]);
      }),
      { numRuns: 25, examples: [['_B@oking, "Ltd"+x=<y>;', 'tëmporal_wörker@acme']] },
    );
  });

  it('safety 1: certificates that end after 2050 are verified by Go', async () => {
    const ca = await aCa({ lifetimeMs: 40 * year });
    const leaf = await aLeaf(ca, { lifetimeMs: 30 * year });
    verify(ca, leaf);
    assert.ok(leaf.certificate.notAfter > '2050');
  });

  it('safety 2: a leaf neither outlives its CA nor begins before it', async () => {
    const ca = await aCa({ lifetimeMs: 3_600_000 });
    const leaf = await aLeaf(ca, { lifetimeMs: year, now: new Date(Date.now() - 86_400_000) });
    assert.equal(leaf.certificate.notBefore, ca.certificate.notBefore);
    const late = await aLeaf(ca, { lifetimeMs: year });
    assert.equal(late.certificate.notAfter, ca.certificate.notAfter);
  });

  it('safety 2: two CAs of one authority never share a subject, and every leaf has a new key', async () => {
    const [one, two] = [await aCa(), await aCa()];
    assert.notEqual(one.certificate.subject, two.certificate.subject);
    const [first, second] = [await aLeaf(one), await aLeaf(one)];
    assert.notEqual(first.key.reveal(), second.key.reveal());
  });

  it('"signed by" is decided by the signature, not by names', async () => {
    const [one, two] = [await aCa(), await aCa()];
    const leaf = await aLeaf(one);
    assert.equal(signedBy(leaf.certificate, one.certificate), true);
    assert.equal(signedBy(leaf.certificate, two.certificate), false);
  });

  it('a bundle that holds something that is no certificate is refused', async () => {
    const { pem } = (await aCa()).certificate;
    assert.equal(readCertificates(`# ours\n${pem}\n${pem}`).length, 2);
    assert.throws(() => readCertificates(`${pem}garbage`), /no certificate/);
  });
});

describe('PrivateKey', () => {
  it('refuses to be serialised, printed, or to become a payload', async () => {
    const { key } = await aCa();
    assert.ok(key instanceof PrivateKey);
    assert.throws(() => JSON.stringify({ nested: key }), TypeError);
    assert.throws(() => defaultPayloadConverter.toPayload({ nested: { key } }));
    const printed = `${key}${inspect({ nested: { key } }, { depth: 9, showHidden: true })}`;
    assert.ok(!printed.includes('PRIVATE KEY-----'), 'the key is printed');
  });
});
