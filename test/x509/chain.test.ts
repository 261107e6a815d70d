import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { createBuiltinIssuer } from '../../src/issuers/builtin.js';
import { admissionRefusal } from '../../src/x509/admission.js';
import { anchorsOf, intermediatesOf, issuersAmong, pathToRoot, presented } from '../../src/x509/chain.js';
import { oids } from '../../src/x509/der.js';
import { nullValue } from '../../src/x509/encode.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { readCertificates } from '../../src/x509/read.js';
import { aCaUnder, aLeafUnder, extension, generalNames, printableName, type CaOptions } from '../support/chains.js';
import { oracleHere } from '../support/oracle.js';

const day = 86_400_000;
const serverAuth = '1.3.6.1.5.5.7.3.1';

const aLeaf = (ca: KeyPair, dnsNames: readonly string[] = []) =>
  createBuiltinIssuer().issueLeaf(ca, {
    subject: { commonName: 'worker', organization: 'Acme' },
    dnsNames,
    algorithm: 'P-256',
    lifetimeMs: day,
    now: new Date(),
  });

interface Case {
  readonly what: string;
  readonly make: () => Promise<KeyPair>;
  readonly dnsNames?: readonly string[];
}

describe('chains', () => {
  let [root, upper, lower]: KeyPair[] = [];
  const oracle = oracleHere();
  before(async () => {
    root = await aCaUnder(undefined);
    upper = await aCaUnder(root);
    lower = await aCaUnder(upper);
  });
  const certificates = (...pairs: readonly (KeyPair | undefined)[]) => pairs.map((pair) => pair!.certificate);

  it('safety 3: the way to the root is found in any order, by signatures; without one link there is none', async () => {
    const stranger = await aCaUnder(undefined, { name: root!.certificate.commonNames[0]! });
    const others = certificates(stranger, root, lower, upper);
    assert.deepEqual(pathToRoot(lower!.certificate, others), certificates(upper, root));
    assert.equal(pathToRoot(lower!.certificate, certificates(stranger, upper)), undefined);
    assert.deepEqual(pathToRoot(root!.certificate, []), []);
  });

  it('safety 3: with a leaf go its intermediates, issuer first, and never the root', async () => {
    const leaf = await aLeaf(lower!);
    assert.deepEqual(leaf.chain, certificates(lower, upper));
    const [first, ...rest] = readCertificates(presented(leaf));
    assert.deepEqual([first, ...rest], [leaf.certificate, ...certificates(lower, upper)]);
    oracle.verify(root!.certificate.pem, presented(leaf));
    assert.equal((await aLeaf(root!)).chain, undefined);
  });

  it('safety 2: no leaf has the name of any CA above it', async () => {
    const [commonName, organization] = [root!.certificate.commonNames[0]!.toUpperCase(), 'acme'];
    const issuing = createBuiltinIssuer().issueLeaf(lower!, {
      subject: { commonName, organization },
      algorithm: 'P-256',
      lifetimeMs: day,
      now: new Date(),
    });
    await assert.rejects(issuing, { type: 'IssuedCertificateInvalid' });
  });

  it('safety 41: what a leaf chains to is found by signatures, through what it presents', async () => {
    const stranger = await aCaUnder(undefined, { name: root!.certificate.commonNames[0]! });
    const leaf = await aLeaf(lower!);
    const anchors = (bundle: readonly KeyPair[], pair: KeyPair = leaf) => anchorsOf(pair, certificates(...bundle));
    assert.deepEqual(anchors([stranger, root!]), [root!.certificate.fingerprint]);
    assert.deepEqual(
      anchors([lower!, root!]),
      certificates(lower, root).map(({ fingerprint }) => fingerprint),
    );
    assert.deepEqual(anchors([stranger, root!], { certificate: leaf.certificate, key: leaf.key }), []);
  });

  it('of the CAs of a bundle it is known who issued whom', async () => {
    const issuers = issuersAmong(certificates(root, lower, upper));
    const names = (pair?: KeyPair) => pair!.certificate.fingerprint;
    assert.deepEqual(
      [...issuers],
      [
        [names(lower), names(upper)],
        [names(upper), names(root)],
      ],
    );
  });

  it('safety 3: a chain is judged as Go judges it for client authentication', async () => {
    const constraints = { constraints: { permitted: [generalNames.dns('example.com')] } };
    const unknown = (critical: boolean) => extension('1.2.3.4', critical, nullValue());
    const past = { now: new Date(Date.now() - 20 * day), lifetimeMs: day };
    const under = async (options: CaOptions) => aCaUnder(await aCaUnder(undefined, options));
    const limited = async (options: CaOptions) => aCaUnder(root, options);
    const cases: Case[] = [
      { what: 'no limits', make: async () => lower! },
      { what: 'a path length that is enough', make: () => under({ pathLength: 1 }) },
      { what: 'a path length that is not enough', make: () => under({ pathLength: 0 }) },
      { what: 'purposes that nest', make: () => under({ purposes: [oids.clientAuth, serverAuth] }) },
      { what: 'a root for servers only', make: () => under({ purposes: [serverAuth] }) },
      { what: 'an intermediate for servers only', make: () => limited({ purposes: [serverAuth] }) },
      { what: 'an expired intermediate', make: async () => aCaUnder(await limited(past)) },
      { what: 'an expired root', make: () => under(past) },
      { what: 'a name within the constraints', make: () => limited(constraints), dnsNames: ['w.example.com'] },
      { what: 'a name outside of the constraints', make: () => limited(constraints), dnsNames: ['w.example.org'] },
      { what: 'constraints, and no names', make: () => limited(constraints) },
      {
        what: 'a name outside of the constraints of a root that signs itself',
        make: () => aCaUnder(undefined, constraints),
        dnsNames: ['w.example.org'],
      },
      { what: 'any purpose', make: () => limited({ purposes: [oids.anyPurpose] }) },
      { what: 'a critical extension of nobody', make: () => limited({ extensions: [unknown(true)] }) },
      { what: 'an extension of nobody', make: () => limited({ extensions: [unknown(false)] }) },
      {
        what: 'the name of its root in another string type',
        make: () =>
          limited({
            issuerName: printableName(
              [oids.organization, 'Acme'],
              [oids.commonName, root!.certificate.commonNames[0]!],
            ),
          }),
      },
    ];
    const verdicts = { admitted: 0, refused: 0 };
    for (const { what, make, dnsNames } of cases) {
      const ca = await make();
      const chain = ca.chain ?? [];
      const leaf = await aLeafUnder(ca, (dnsNames ?? []).map(generalNames.dns));
      const refusal = admissionRefusal(leaf, [ca.certificate, ...chain], new Date());
      const root = chain.at(-1) ?? ca.certificate;
      const shown = presented({ certificate: leaf, chain: intermediatesOf(ca) });
      assert.equal(refusal === undefined, oracle.admits(root.pem, shown), `${what}: ${refusal}`);
      verdicts[refusal === undefined ? 'admitted' : 'refused'] += 1;
      const issuing = aLeaf(ca, dnsNames);
      await (refusal === undefined ? issuing : assert.rejects(issuing, { type: 'IssuedCertificateInvalid' }, what));
    }
    assert.deepEqual(verdicts, { admitted: 7, refused: 9 });
  });
});
