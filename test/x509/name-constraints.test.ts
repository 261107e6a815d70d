import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { admissionRefusal } from '../../src/x509/admission.js';
import { distinguishedName } from '../../src/x509/build.js';
import { presented } from '../../src/x509/chain.js';
import type { Der } from '../../src/x509/encode.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCaUnder, aLeafUnder, generalNames, type Constraints } from '../support/chains.js';
import { oracleHere } from '../support/oracle.js';

const { dns, email, uri, ip, directory } = generalNames;

interface Row {
  readonly what: string;
  readonly constraints: Constraints;
  readonly names?: readonly Der[];
  readonly commonName?: string;
  readonly admitted: boolean;
}

const permitted = (...subtrees: readonly Der[]): Constraints => ({ permitted: subtrees });
const excluded = (...subtrees: readonly Der[]): Constraints => ({ excluded: subtrees });
const acme = directory(distinguishedName({ organization: 'Acme' }));
const other = directory(distinguishedName({ organization: 'Other' }));

const rows: readonly Row[] = [
  // Where OpenSSL, and with it a handshake in node, would judge otherwise.
  {
    what: 'the common name does not count, though it looks like a DNS name',
    constraints: permitted(dns('example.com')),
    commonName: 'worker.example.org',
    admitted: true,
  },
  {
    what: 'a URI constraint covers what is below its domain, too',
    constraints: permitted(uri('example.com')),
    names: [uri('spiffe://a.example.com/worker')],
    admitted: true,
  },
  {
    what: 'an excluded name excludes the wildcard that covers it',
    constraints: excluded(dns('a.example.com')),
    names: [dns('*.example.com')],
    admitted: false,
  },
  {
    what: 'a URI without a host cannot be judged, whatever is constrained',
    constraints: permitted(dns('example.com')),
    names: [uri('urn:worker')],
    admitted: false,
  },
  {
    what: 'a URI with an address cannot be judged',
    constraints: excluded(dns('example.com')),
    names: [uri('https://10.0.0.1/worker')],
    admitted: false,
  },
  {
    what: 'critical constraints on directory names are known to nobody',
    constraints: permitted(acme),
    admitted: false,
  },
  {
    what: 'constraints on directory names that are not critical do not count',
    constraints: { ...permitted(other), critical: false },
    admitted: true,
  },
  // Where all agree.
  {
    what: 'its domain itself',
    constraints: permitted(dns('example.com')),
    names: [dns('EXAMPLE.com')],
    admitted: true,
  },
  { what: 'below it', constraints: permitted(dns('example.com')), names: [dns('a.b.example.com')], admitted: true },
  { what: 'beside it', constraints: permitted(dns('example.com')), names: [dns('anexample.com')], admitted: false },
  {
    what: 'one name of two',
    constraints: permitted(dns('example.com')),
    names: [dns('a.example.com'), dns('b.org')],
    admitted: false,
  },
  {
    what: 'a leading dot: below it only',
    constraints: permitted(dns('.example.com')),
    names: [dns('example.com')],
    admitted: false,
  },
  {
    what: 'a leading dot: below it',
    constraints: permitted(dns('.example.com')),
    names: [dns('a.example.com')],
    admitted: true,
  },
  {
    what: 'nothing at all excluded: everything',
    constraints: excluded(dns('')),
    names: [dns('a.org')],
    admitted: false,
  },
  {
    what: 'another kind of name',
    constraints: permitted(dns('example.com')),
    names: [uri('spiffe://acme.org/worker')],
    admitted: true,
  },
  {
    what: 'the port of a URI does not count',
    constraints: permitted(uri('.example.com')),
    names: [uri('https://a.example.com:7233/')],
    admitted: true,
  },
  {
    what: 'an address',
    constraints: permitted(ip(10, 0, 0, 0, 255, 0, 0, 0)),
    names: [ip(10, 1, 2, 3)],
    admitted: true,
  },
  {
    what: 'an address elsewhere',
    constraints: permitted(ip(10, 0, 0, 0, 255, 0, 0, 0)),
    names: [ip(11, 1, 2, 3)],
    admitted: false,
  },
  {
    what: 'one mailbox',
    constraints: permitted(email('ops@example.com')),
    names: [email('ops@EXAMPLE.com')],
    admitted: true,
  },
  {
    what: 'another mailbox',
    constraints: permitted(email('ops@example.com')),
    names: [email('dev@example.com')],
    admitted: false,
  },
  {
    what: 'a mailbox of a domain',
    constraints: excluded(email('example.com')),
    names: [email('ops@example.com')],
    admitted: false,
  },
];

describe('safety 3: name constraints are minded as Go minds them', () => {
  const oracle = oracleHere();

  /** Our verdict and Go's, on a leaf of `ca`. */
  async function verdicts(ca: KeyPair, names: readonly Der[], commonName?: string) {
    const leaf = await aLeafUnder(ca, names, commonName);
    const cas = [ca.certificate, ...(ca.chain ?? [])];
    const refusal = admissionRefusal(leaf, cas, new Date());
    const admitted = oracle.admits(cas.at(-1)!.pem, presented({ certificate: leaf, chain: cas.slice(0, -1) }));
    return { ours: refusal === undefined, go: admitted, refusal };
  }

  for (const { what, constraints, names = [], commonName, admitted } of rows)
    it(`${what}: ${admitted ? 'admitted' : 'refused'}, whichever CA of the chain says so`, async () => {
      const root = await aCaUnder(undefined);
      for (const ca of [
        await aCaUnder(undefined, { constraints }),
        await aCaUnder(root, { constraints }),
        await aCaUnder(await aCaUnder(undefined, { constraints })),
      ]) {
        const { refusal, ours, go } = await verdicts(ca, names, commonName);
        assert.deepEqual({ ours, go }, { ours: admitted, go: admitted }, refusal);
      }
    });

  it('of any kind and in any CA of the chain', async () => {
    const domain = fc.constantFrom(
      'example.com',
      'a.example.com',
      '*.example.com',
      'b.a.example.com',
      'com',
      'aexample.com',
    );
    const base = fc.constantFrom('', 'example.com', '.example.com', 'a.example.com', '.a.example.com', 'com', 'org');
    const octet = fc.constantFrom(0, 1, 10, 127, 255);
    const name = fc.oneof(
      domain.map(dns),
      domain.map((host) => uri(`spiffe://${host}/x`)),
      fc
        .constantFrom('spiffe://User@A.example.com:80', 'urn:x', 'https://[::1]:80/', 'https://1.2.3.4', 'a/b')
        .map(uri),
      fc
        .tuple(fc.constantFrom('ops', 'o.p', 'Ops', '.ops', 'o..p'), domain)
        .map(([local, host]) => email(`${local}@${host}`)),
      fc.tuple(octet, octet, octet, octet).map((address) => ip(...address)),
    );
    const subtree = fc.oneof(
      base.map(dns),
      base.map(uri),
      base.map(email),
      fc.constantFrom('ops@example.com', 'Ops@A.example.com', '@example.com', 'a@').map(email),
      fc
        .constantFrom('.', 'a..b', 'a.', '1.2.3.4', 'a b')
        .chain((odd) => fc.constantFrom(dns(odd), uri(odd), email(odd))),
      // Without host bits: with them, Go's search misses subnets that it has.
      octet.map((one) => ip(one, 0, 0, 0, 255, 0, 0, 0)),
      fc.tuple(octet, octet).map(([one, two]) => ip(one, two, 0, 0, 255, 255, 0, 0)),
      fc.constant(acme),
    );
    const constraints = fc.record({
      permitted: fc.array(subtree, { maxLength: 3 }),
      excluded: fc.array(subtree, { maxLength: 2 }),
      critical: fc.boolean(),
    });
    const seen = { admitted: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.option(constraints, { nil: undefined }),
        constraints,
        fc.array(name, { maxLength: 2 }),
        async (ofRoot, ofIntermediate, names) => {
          const root = await aCaUnder(undefined, ofRoot && { constraints: ofRoot });
          const { ours, go, refusal } = await verdicts(await aCaUnder(root, { constraints: ofIntermediate }), names);
          assert.equal(ours, go, refusal);
          seen[go ? 'admitted' : 'refused'] += 1;
        },
      ),
      { numRuns: 150 },
    );
    assert.ok(seen.admitted > 10 && seen.refused > 10, JSON.stringify(seen));
  });
});
