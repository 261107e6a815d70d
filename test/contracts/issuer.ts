import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { CaRequest, Issuer, KeyAlgorithm, LeafRequest } from '../../src/issuers/issuer.js';
import { oids } from '../../src/x509/der.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { PrivateKey } from '../../src/x509/private-key.js';
import { keyMatches, readCertificate, signedBy } from '../../src/x509/read.js';
import { buildOracle, type GoFacts, type Oracle } from '../support/oracle.js';

/** One kind of issuer. */
export interface IssuerRow {
  readonly kind: string;
  readonly open: () => Promise<Issuer>;
  readonly algorithms: readonly KeyAlgorithm[];
}

const day = 86_400_000;
const year = 365 * day;
/** RFC 5280, appendix A: ub-common-name. */
const longestCommonName = 64;

const signatures: Readonly<Record<KeyAlgorithm, string>> = {
  'P-256': 'ECDSA-SHA256',
  'P-384': 'ECDSA-SHA384',
  'RSA-2048': 'SHA256-RSA',
  'RSA-3072': 'SHA256-RSA',
  'RSA-4096': 'SHA256-RSA',
};

/** The promises of the port `Issuer`, judged by Go's crypto/x509 and by OpenSSL. */
export function issuerContract({ kind, open, algorithms }: IssuerRow): void {
  describe(`issuer ${kind}`, () => {
    let folder: string;
    let oracle: Oracle;
    let issuer: Issuer;
    /** One CA of the first algorithm, for what does not depend on it. */
    let ca: KeyPair;
    const [algorithm] = algorithms as [KeyAlgorithm];

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
      [oracle, issuer] = await Promise.all([buildOracle(folder), open()]);
      ca = await aCa();
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    const aCa = (request: Partial<CaRequest> = {}) =>
      issuer.createCa({
        subject: { organization: 'Acme' },
        algorithm,
        generation: 1,
        lifetimeMs: year,
        now: new Date(),
        ...request,
      });
    const aLeaf = (signer: KeyPair, request: Partial<LeafRequest> = {}) =>
      issuer.issueLeaf(signer, {
        subject: { commonName: 'worker', organization: 'Acme' },
        algorithm,
        lifetimeMs: 30 * day,
        now: new Date(),
        ...request,
      });
    const verified = (signer: KeyPair, leaf: KeyPair): { signer: GoFacts; leaf: GoFacts } => {
      const { roots, chain } = oracle.verify(signer.certificate.pem, leaf.certificate.pem);
      return { signer: roots[0]!, leaf: chain[0]! };
    };

    for (const each of algorithms) {
      it(`safety 1: what it makes with ${each} is verified by Go and by OpenSSL, with the profile of a CA and of a client leaf`, async () => {
        const signer = await aCa({ algorithm: each });
        const leaf = await aLeaf(signer, { algorithm: each });
        const go = verified(signer, leaf);
        assert.deepEqual([go.signer.signature, go.leaf.signature], [signatures[each], signatures[each]]);
        for (const made of [signer, leaf]) {
          assert.equal(algorithmOf(made), each);
          refuseForeignStrings(oracle, made);
          refuseWrongParameters(oracle, made, each);
        }
        assertCaProfile(go.signer);
        assertLeafProfile(go.leaf, go.signer);
      });
    }

    it('safety 1: serials are positive, at most 20 octets, and never come twice', async () => {
      const leaves = await Promise.all(Array.from({ length: 32 }, () => aLeaf(ca)));
      const serials = leaves.map((leaf) => BigInt(verified(ca, leaf).leaf.serial));
      for (const serial of serials) assert.ok(serial > 0n && serial < 1n << 159n, `serial ${serial}`);
      assert.equal(new Set(serials).size, leaves.length);
    });

    it('safety 1: under a CA that another tool made, the leaf has its name byte for byte and its key identifier', async () => {
      const foreign = foreignCa(folder);
      const { signer, leaf } = verified(foreign, await aLeaf(foreign));
      assert.equal(leaf.issuer, signer.subject);
      assert.match(leaf.extensions[oids.authorityKeyIdentifier]!.value, /^30078005deadbeef01$/);
    });

    it('safety 1: names with any characters are verified by Go and read back as given', async () => {
      await fc.assert(
        fc.asyncProperty(name, name, async (organization, commonName) => {
          const signer = await aCa({ subject: { organization } });
          const leaf = await aLeaf(signer, { subject: { organization, organizationalUnit: organization, commonName } });
          verified(signer, leaf);
          refuseForeignStrings(oracle, leaf);
          const { commonNames, organizations, organizationalUnits } = readCertificate(leaf.certificate.pem);
          assert.deepEqual(
            { commonNames, organizations, organizationalUnits },
            { commonNames: [commonName], organizations: [organization], organizationalUnits: [organization] },
          );
          assert.deepEqual(signer.certificate.organizations, [organization]);
        }),
        { numRuns: 15, examples: [['_B@oking, "Ltd"+x=<y>;', 'tëmporal_wörker@acme']] },
      );
    });

    it('safety 1: UTCTime before 2050, GeneralizedTime from then on, and Go reads both', async () => {
      const signer = await aCa({ lifetimeMs: 40 * year });
      verified(signer, await aLeaf(signer));
      const times = oracle.elements(signer.certificate.pem).filter(([type]) => type.endsWith('TIME'));
      assert.deepEqual(
        times.map(([type]) => type),
        ['UTCTIME', 'GENERALIZEDTIME'],
      );
      assert.ok(signer.certificate.notAfter > '2050');
    });

    it('safety 2: two CAs of one authority never share a name, whatever the case', async () => {
      const subjects = [ca, await aCa(), await aCa({ generation: 2 })].map(({ certificate }) => certificate.subject);
      assert.equal(new Set(subjects.map((subject) => subject.toLowerCase())).size, subjects.length);
    });

    it('safety 2: a leaf with the name of its CA is refused, whatever the case', async () => {
      const { commonNames, organizations } = ca.certificate;
      const [commonName, organization] = [commonNames[0]?.toUpperCase(), organizations[0]?.toLowerCase()];
      await assert.rejects(aLeaf(ca, { subject: { commonName, organization } }), { type: 'IssuedCertificateInvalid' });
    });

    it('safety 2: a common name has at most 64 characters, not bytes; the suffix of a CA shortens a long one', async () => {
      const longest = 'é'.repeat(longestCommonName);
      verified(ca, await aLeaf(ca, { subject: { commonName: longest } }));
      await assert.rejects(aLeaf(ca, { subject: { commonName: `${longest}x` } }), { type: 'IssuedCertificateInvalid' });
      const signer = await aCa({ subject: { commonName: longest } });
      assert.ok(signer.certificate.commonNames.every((text) => [...text].length <= longestCommonName));
    });

    it('safety 2: DNS names and URIs asked for are in the leaf, and none without being asked for', async () => {
      const leaf = await aLeaf(ca, { dnsNames: ['a.example', '*.b.example'], uris: ['spiffe://acme/worker'] });
      verified(ca, leaf);
      const names = ['a.example', '*.b.example', 'spiffe://acme/worker'];
      assert.deepEqual(leaf.certificate.subjectAlternativeNames, names);
      assert.deepEqual((await aLeaf(ca)).certificate.subjectAlternativeNames, []);
    });

    it('safety 2: a leaf neither outlives its CA nor begins before it', async () => {
      const late = await aLeaf(ca, { lifetimeMs: 2 * year });
      const early = await aLeaf(ca, { now: new Date(Date.now() - day) });
      assert.equal(late.certificate.notAfter, ca.certificate.notAfter);
      assert.ok(early.certificate.notBefore >= ca.certificate.notBefore);
    });

    it('a certificate made now is valid for a server whose clock is a minute behind', async () => {
      const behind = Date.now() - 59_000;
      for (const { certificate } of [await aCa(), await aLeaf(ca)])
        assert.ok(Date.parse(certificate.notBefore) <= behind, certificate.notBefore);
    });

    it('safety 2: every CA and every leaf has a new key, in PKCS#8, that matches and refuses to be serialised', async () => {
      const made = [ca, await aCa(), await aLeaf(ca), await aLeaf(ca)];
      for (const { certificate, key } of made) {
        assert.ok(key instanceof PrivateKey);
        assert.match(key.reveal(), /^-----BEGIN PRIVATE KEY-----/);
        assert.ok(keyMatches(certificate, key));
        assert.throws(() => JSON.stringify({ key }), TypeError);
      }
      assert.equal(new Set(made.map(({ key }) => key.reveal())).size, made.length);
    });

    it('"signed by" is decided by the signature, not by names', async () => {
      const leaf = await aLeaf(ca);
      const other = await aCa();
      assert.deepEqual(
        [ca, other].map((signer) => signedBy(leaf.certificate, signer.certificate)),
        [true, false],
      );
    });
  });
}

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => text.trim() === text && !/[\p{C}]/u.test(text));

function algorithmOf({ certificate }: KeyPair): KeyAlgorithm {
  const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey(certificate.pem);
  if (asymmetricKeyType === 'rsa') return `RSA-${asymmetricKeyDetails!.modulusLength}` as KeyAlgorithm;
  return asymmetricKeyDetails!.namedCurve === 'secp384r1' ? 'P-384' : 'P-256';
}

/** DN strings are UTF8String: Go refuses a PrintableString with a character that it does not have. */
function refuseForeignStrings(oracle: Oracle, { certificate }: KeyPair): void {
  const foreign = ['PRINTABLESTRING', 'T61STRING', 'BMPSTRING', 'IA5STRING', 'UNIVERSALSTRING'];
  const types = oracle.elements(certificate.pem).map(([type]) => type);
  assert.deepEqual(
    types.filter((type) => foreign.includes(type)),
    [],
  );
  assert.ok(types.includes('UTF8STRING'));
}

/** RSA's algorithm identifiers have NULL parameters, ECDSA's none (RFC 4055, RFC 5758). */
function refuseWrongParameters(oracle: Oracle, { certificate }: KeyPair, algorithm: KeyAlgorithm): void {
  const elements = oracle.elements(certificate.pem);
  const parameters = elements.flatMap(([type, value], index) =>
    type === 'OBJECT' && /^(ecdsa-with-|sha256WithRSA)/.test(value) ? [elements[index + 1]![0] === 'NULL'] : [],
  );
  assert.deepEqual(parameters, algorithm.startsWith('RSA') ? [true, true] : [false, false]);
}

function assertCaProfile(ca: GoFacts): void {
  const { [oids.basicConstraints]: constraints, [oids.keyUsage]: usage, ...others } = ca.extensions;
  assert.deepEqual([ca.isCa, ca.pathLen, constraints?.critical], [true, 0, true]);
  assert.deepEqual([ca.keyUsage & ~digitalSignature, usage?.critical], [keyCertSign | crlSign, true]);
  assert.ok(others[oids.subjectKeyIdentifier]);
}

function assertLeafProfile(leaf: GoFacts, ca: GoFacts): void {
  const { extensions } = leaf;
  assert.deepEqual([leaf.isCa, extensions[oids.basicConstraints]?.critical], [false, true]);
  assert.deepEqual([leaf.keyUsage, extensions[oids.keyUsage]?.critical], [digitalSignature, true]);
  assert.deepEqual(leaf.purposes, [clientAuth]);
  assert.ok(extensions[oids.subjectKeyIdentifier]);
  assert.equal(leaf.issuer, ca.subject);
  const ski = ca.extensions[oids.subjectKeyIdentifier]!.value;
  assert.match(ski, /^0414/, 'a SHA-1 in an octet string');
  assert.equal(extensions[oids.authorityKeyIdentifier]?.value, `30168014${ski.slice(4)}`, 'keyid only');
}

/** Of Go's x509.KeyUsage and x509.ExtKeyUsage. */
const [digitalSignature, keyCertSign, crlSign, clientAuth] = [1, 32, 64, 2];

/** A CA as another tool makes it: PrintableString names in its own order, a key identifier that is no hash. */
function foreignCa(folder: string): KeyPair {
  const [certificateFile, keyFile] = [join(folder, 'foreign.pem'), join(folder, 'foreign.key')];
  const arguments_ = [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha384', '-nodes', '-days', '30'],
    ...['-config', join(folder, 'foreign.cnf'), '-keyout', keyFile, '-out', certificateFile],
  ];
  writeFileSync(join(folder, 'foreign.cnf'), foreignConfiguration);
  execFileSync('openssl', arguments_, { stdio: 'pipe' });
  const certificate = readCertificate(readFileSync(certificateFile, 'utf8'));
  return { certificate, key: new PrivateKey(readFileSync(keyFile, 'utf8')) };
}

const foreignConfiguration = `
[req]
prompt = no
string_mask = default
distinguished_name = dn
x509_extensions = ca
[dn]
CN = Foreign CA
O = Acme
C = DE
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = DE:AD:BE:EF:01
`;
