import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { RotationError } from '../../src/domain/failures.js';
import type { CaRequest, Issuer, KeyAlgorithm, LeafRequest } from '../../src/issuers/issuer.js';
import { buildCertificate, extensions } from '../../src/x509/build.js';
import { oids } from '../../src/x509/der.js';
import { generateKey } from '../../src/x509/generate.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { PrivateKey } from '../../src/x509/private-key.js';
import { keyMatches, readCertificate, signedBy } from '../../src/x509/read.js';
import { temporaryRoot } from '../../src/temporary-folder.js';
import { printableName } from '../support/chains.js';
import { buildOracle, type GoFacts, type Oracle } from '../support/oracle.js';

/** One kind of issuer. */
export interface IssuerRow {
  readonly kind: string;
  readonly open: () => Promise<Issuer>;
  readonly algorithms: readonly KeyAlgorithm[];
  /** What programs of others do differently, each allowed by name; absent: nothing. */
  readonly allowed?: Allowances;
}

interface Allowances {
  /** Extensions that are left out. The results carry a warning that names them. */
  readonly caLacks?: readonly string[];
  readonly leafLacks?: readonly string[];
  /** Further purposes and usages, which admit it nowhere else than as a client. */
  readonly moreUsages?: true;
  /** A CA that may sign CAs: what is made with it is checked by us. */
  readonly noPathLength?: true;
  /** PrintableString where all characters are printable: Go's own encoder. */
  readonly printableStrings?: true;
  /** No names but ASCII ones. */
  readonly asciiNames?: true;
  /** Names of its own in the subject alternative name, and none of ours. */
  readonly ownAlternativeNames?: true;
  readonly longestLifetimeMs?: number;
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
export function issuerContract({ kind, open, algorithms, allowed = {} }: IssuerRow): void {
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
      const strict = allowed.leafLacks === undefined;
      const { roots, chain } = oracle.verify(signer.certificate.pem, leaf.certificate.pem, { strict });
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
          refuseForeignStrings(oracle, made, allowed);
          refuseWrongParameters(oracle, made, each);
        }
        assertCaProfile(go.signer, allowed);
        assertLeafProfile(go.leaf, go.signer, allowed);
      });
    }

    it('says what a certificate leaves out that Temporal documents', async () => {
      const { caLacks = [], leafLacks = [] } = allowed;
      for (const [{ warnings }, lacks] of [[await aCa(), caLacks] as const, [await aLeaf(ca), leafLacks] as const]) {
        assert.equal(warnings.length, lacks.length > 0 ? 1 : 0);
        if (lacks.length > 0) assert.ok(warnings[0]!.includes(`leaves out ${lacks.join(', ')};`), warnings[0]);
      }
    });

    it('safety 1: serials are positive, at most 20 octets, and never come twice', async () => {
      const leaves = await Promise.all(Array.from({ length: 16 }, () => aLeaf(ca)));
      const serials = leaves.map((leaf) => BigInt(verified(ca, leaf).leaf.serial));
      for (const serial of serials) assert.ok(serial > 0n && serial < 1n << 159n, `serial ${serial}`);
      assert.equal(new Set(serials).size, leaves.length);
    });

    it('safety 1: under a CA that another tool made, the leaf has its name byte for byte and its key identifier', async () => {
      const foreign = await foreignCa();
      assert.ok(oracle.elements(foreign.certificate.pem).some(([type]) => type === 'PRINTABLESTRING'));
      const { signer, leaf } = verified(foreign, await aLeaf(foreign));
      assert.equal(leaf.issuer, signer.subject);
      assert.match(leaf.extensions[oids.authorityKeyIdentifier]!.value, /^30078005deadbeef01$/);
    });

    it('safety 1: names with any characters are verified by Go and read back as given', async () => {
      await fc.assert(
        fc.asyncProperty(names(allowed), names(allowed), async (organization, commonName) => {
          const signer = await aCa({ subject: { organization } });
          const leaf = await aLeaf(signer, { subject: { organization, organizationalUnit: organization, commonName } });
          verified(signer, leaf);
          refuseForeignStrings(oracle, leaf, allowed);
          const { commonNames, organizations, organizationalUnits } = readCertificate(leaf.certificate.pem);
          assert.deepEqual(
            { commonNames, organizations, organizationalUnits },
            { commonNames: [commonName], organizations: [organization], organizationalUnits: [organization] },
          );
          const names = [...signer.certificate.commonNames, ...signer.certificate.organizations];
          assert.ok(names.some((text) => text.startsWith(organization)));
        }),
        { numRuns: 8, examples: [['_B@oking, "Ltd"+x=<y>;', allowed.asciiNames ? 'w_rker@acme' : 'wörker@acmé']] },
      );
    });

    if ((allowed.longestLifetimeMs ?? Infinity) >= 40 * year)
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

    it('safety 2: a leaf never has the name of its CA, whatever the case', async () => {
      const { commonNames, organizations, subject } = ca.certificate;
      const [commonName, organization] = [commonNames[0]?.toUpperCase(), organizations[0]?.toLowerCase()];
      const outcome = await aLeaf(ca, { subject: { commonName, organization } }).catch((error: RotationError) => error);
      if (outcome instanceof RotationError) assert.equal(outcome.type, 'IssuedCertificateInvalid');
      else assert.notEqual(outcome.certificate.subject.toLowerCase(), subject.toLowerCase());
    });

    it('safety 2: a common name has at most 64 characters, not bytes; the suffix of a CA shortens a long one', async () => {
      const longest = 'é'.repeat(longestCommonName);
      const named = (commonName: string) => aLeaf(ca, { subject: { commonName, organization: 'Acme' } });
      verified(ca, await named(longest));
      await assert.rejects(named(`${longest}x`), { type: 'IssuedCertificateInvalid' });
      const signer = await aCa({
        subject: { organization: allowed.asciiNames ? 'e'.repeat(longestCommonName) : longest },
      });
      assert.ok(signer.certificate.commonNames.every((text) => Array.from(text).length <= longestCommonName));
    });

    it('safety 2: DNS names and URIs asked for are in the leaf, and none without being asked for', async () => {
      const asked = { dnsNames: ['a.example', '*.b.example'], uris: ['spiffe://acme/worker'] };
      if (allowed.ownAlternativeNames) return assert.rejects(aLeaf(ca, asked), { type: 'IssuerUnable' });
      const leaf = await aLeaf(ca, asked);
      verified(ca, leaf);
      assert.deepEqual(leaf.certificate.subjectAlternativeNames, [...asked.dnsNames, ...asked.uris]);
      assert.deepEqual((await aLeaf(ca)).certificate.subjectAlternativeNames, []);
    });

    it('safety 2: a leaf neither outlives its CA nor begins before it', async () => {
      const late = await aLeaf(ca, { lifetimeMs: 2 * year });
      const early = await aLeaf(ca, { now: new Date(Date.now() - day) });
      const left = Date.parse(ca.certificate.notAfter) - Date.parse(late.certificate.notAfter);
      assert.ok(left >= 0 && left <= 5 * 60_000, `it ends ${left} ms before its CA`);
      assert.ok(early.certificate.notBefore >= ca.certificate.notBefore);
    });

    it('safety 2: what it makes begins about now and lives as long as was asked', async () => {
      for (const [made, lifetimeMs] of [[await aCa(), year] as const, [await aLeaf(ca), 30 * day] as const]) {
        const { notBefore, notAfter } = made.certificate;
        const [early, late] = [Date.now() - Date.parse(notBefore), Date.now() + lifetimeMs - Date.parse(notAfter)];
        for (const [ms, what] of [[early, 'notBefore'] as const, [late, 'notAfter'] as const])
          assert.ok(Math.abs(ms) <= 15 * 60_000, `${what} is off by ${ms} ms`);
      }
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

    it('safety 7: nothing that it made is left in the temporary folder', async () => {
      const left = await readdir(temporaryRoot()).catch(() => []);
      assert.deepEqual(
        left.filter((entry) => entry.startsWith(`${process.pid}-`)),
        [],
      );
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

/** Without '/', which certstrap would take for a folder. */
const names = ({ asciiNames }: Allowances) =>
  fc
    .string({ unit: asciiNames ? 'grapheme-ascii' : 'grapheme', minLength: 1, maxLength: 20 })
    .filter((text) => text.trim() === text && !/[\p{C}/]/u.test(text));

function algorithmOf({ certificate }: KeyPair): KeyAlgorithm {
  const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey(certificate.pem);
  if (asymmetricKeyType === 'rsa') return `RSA-${asymmetricKeyDetails!.modulusLength}` as KeyAlgorithm;
  return asymmetricKeyDetails!.namedCurve === 'secp384r1' ? 'P-384' : 'P-256';
}

/** DN strings are UTF8String: Go refuses a PrintableString with a character that it does not have. */
function refuseForeignStrings(oracle: Oracle, { certificate }: KeyPair, { printableStrings }: Allowances): void {
  const foreign = [
    ...(printableStrings ? [] : ['PRINTABLESTRING']),
    'T61STRING',
    'BMPSTRING',
    'IA5STRING',
    'UNIVERSALSTRING',
  ];
  const types = oracle.elements(certificate.pem).map(([type]) => type);
  assert.deepEqual(
    types.filter((type) => foreign.includes(type)),
    [],
  );
  assert.ok(types.includes('UTF8STRING') || printableStrings);
}

/** RSA's algorithm identifiers have NULL parameters, ECDSA's none (RFC 4055, RFC 5758). */
function refuseWrongParameters(oracle: Oracle, { certificate }: KeyPair, algorithm: KeyAlgorithm): void {
  const elements = oracle.elements(certificate.pem);
  const parameters = elements.flatMap(([type, value], index) =>
    type === 'OBJECT' && /^(ecdsa-with-|sha256WithRSA)/.test(value) ? [elements[index + 1]![0] === 'NULL'] : [],
  );
  assert.deepEqual(parameters, algorithm.startsWith('RSA') ? [true, true] : [false, false]);
}

function assertCaProfile(ca: GoFacts, { noPathLength, moreUsages }: Allowances): void {
  const { [oids.basicConstraints]: constraints, [oids.keyUsage]: usage, ...others } = ca.extensions;
  assert.deepEqual([ca.isCa, ca.pathLen, constraints?.critical], [true, noPathLength ? -1 : 0, true]);
  assert.deepEqual([ca.keyUsage & (keyCertSign | crlSign), usage?.critical], [keyCertSign | crlSign, true]);
  if (!moreUsages) assert.equal(ca.keyUsage, keyCertSign | crlSign);
  assert.ok(others[oids.subjectKeyIdentifier]);
}

function assertLeafProfile(leaf: GoFacts, ca: GoFacts, { leafLacks = [], moreUsages }: Allowances): void {
  const { extensions } = leaf;
  const has = (name: keyof typeof oids) => !leafLacks.includes(name);
  assert.equal(leaf.isCa, false);
  assert.equal(extensions[oids.basicConstraints]?.critical, has('basicConstraints') ? true : undefined);
  assert.equal(extensions[oids.keyUsage]?.critical, has('keyUsage') ? true : undefined);
  assert.equal(leaf.keyUsage & digitalSignature, has('keyUsage') ? digitalSignature : 0);
  assert.equal(leaf.purposes?.includes(clientAuth), has('extendedKeyUsage') ? true : undefined);
  if (!moreUsages) assert.deepEqual([leaf.keyUsage, leaf.purposes], [digitalSignature, [clientAuth]]);
  assert.equal(extensions[oids.subjectKeyIdentifier] !== undefined, has('subjectKeyIdentifier'));
  assert.equal(leaf.issuer, ca.subject);
  const ski = ca.extensions[oids.subjectKeyIdentifier]!.value;
  assert.equal(extensions[oids.authorityKeyIdentifier]?.value, authorityKeyIdentifier(ski), 'keyid only');
}

/** Of an SKI of at most 120 octets, DER in hex: `04 length keyid` becomes `30 length+2 80 length keyid`. */
function authorityKeyIdentifier(ski: string): string {
  const octets = Buffer.from(ski.slice(2), 'hex');
  return Buffer.concat([Buffer.of(0x30, octets.length + 1, 0x80), octets]).toString('hex');
}

/** Of Go's x509.KeyUsage and x509.ExtKeyUsage. */
const [digitalSignature, keyCertSign, crlSign, clientAuth] = [1, 32, 64, 2];

/** A CA as another tool makes it: PrintableString names in its own order, a key identifier that is no hash. */
async function foreignCa(): Promise<KeyPair> {
  const { privateKey: key, publicKey } = await generateKey('P-384');
  const subject = printableName([oids.commonName, 'Foreign CA'], [oids.organization, 'Acme']);
  const pem = buildCertificate(
    {
      serial: Buffer.of(7),
      notBefore: new Date(Date.now() - day),
      notAfter: new Date(Date.now() + 40 * day),
      subject,
      issuer: subject,
      publicKey,
      extensions: [
        extensions.ca,
        extensions.keyCertSignAndCrlSign,
        extensions.subjectKeyIdentifier(Buffer.from('deadbeef01', 'hex')),
      ],
    },
    key,
  );
  return { certificate: readCertificate(pem), key };
}
