import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { CaRequest, LeafRequest } from '../../src/issuers/issuer.js';
import { buildCertificate, distinguishedName, extensions } from '../../src/x509/build.js';
import { checkCa, checkLeaf, warningsOf } from '../../src/x509/check.js';
import { oids } from '../../src/x509/der.js';
import { bits, boolean, nullValue, octets, oid, sequence, type Der } from '../../src/x509/encode.js';
import { generateKey } from '../../src/x509/generate.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { readCertificate } from '../../src/x509/read.js';
import { aCaUnder, extension, printableName, subjectOf } from '../support/chains.js';

const day = 86_400_000;
const now = new Date();
const asked: LeafRequest = {
  subject: { commonName: 'worker', organization: 'Acme' },
  dnsNames: ['w.example'],
  algorithm: 'P-256',
  lifetimeMs: day,
  now,
};

const askedCa: CaRequest = { subject: {}, algorithm: 'P-256', generation: 1, lifetimeMs: 365 * day, now };

interface Made {
  readonly serial?: Buffer;
  readonly issuer?: Der;
  readonly subject?: LeafRequest['subject'];
  readonly signer?: KeyPair;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly extensions?: readonly Der[];
  readonly algorithm?: LeafRequest['algorithm'];
}

/** Extended key usage serverAuth alone. */
const forServers = sequence(oid(oids.extendedKeyUsage), octets(sequence(oid('1.3.6.1.5.5.7.3.1'))));
/** Key usage keyEncipherment alone. */
const forEncipherment = sequence(oid(oids.keyUsage), boolean(true), octets(bits(Buffer.of(0b0010_0000), 5)));
const twice = extension('1.2.3.4', false, nullValue());
const named = extensions.alternativeNames(asked.dnsNames!, [])!;

describe('safety 2: what a program made is read back and checked before it is used', () => {
  let ca: KeyPair;
  before(async () => {
    ca = await aCaUnder(undefined);
  });

  /** A leaf as it was asked for, but for what is given. */
  async function make(made: Made = {}): Promise<KeyPair> {
    const { subject = asked.subject, signer = ca, algorithm = 'P-256' } = made;
    const { privateKey: key, publicKey } = await generateKey(algorithm);
    const pem = buildCertificate(
      {
        serial: made.serial ?? Buffer.of(7),
        notBefore: made.notBefore ?? now,
        notAfter: made.notAfter ?? new Date(now.getTime() + day),
        subject: distinguishedName(subject),
        issuer: made.issuer ?? subjectOf(signer.certificate),
        publicKey,
        extensions: made.extensions ?? [extensions.digitalSignature, extensions.clientAuth, named],
      },
      signer.key,
    );
    return { certificate: readCertificate(pem), key };
  }
  const problemOf = async (made: Made) => checkLeaf(await make(made), ca, asked);

  it('a leaf as it was asked for is good; further names and no extensions at all are no reason to refuse it', async () => {
    assert.equal(await problemOf({}), undefined);
    const more = extensions.alternativeNames(['w.example', 'more.example'], [])!;
    assert.equal(await problemOf({ extensions: [more] }), undefined);
  });

  const cases: [string, () => Made | Promise<Made>, RegExp][] = [
    ['a CA', () => ({ extensions: [extensions.ca, named] }), /is a CA/],
    ['of another signer', async () => ({ signer: await aCaUnder(undefined) }), /not signed by its CA/],
    ['that outlives its CA', () => ({ notAfter: new Date(Date.now() + 4000 * day) }), /outlives/],
    ['that begins before its CA', () => ({ notBefore: new Date(Date.now() - day) }), /begins before/],
    ['that ends before it begins', () => ({ notAfter: new Date(now.getTime() - 1000) }), /ends before it begins/],
    ['for servers only', () => ({ extensions: [forServers, named] }), /not for client authentication/],
    ['that may not sign', () => ({ extensions: [forEncipherment, named] }), /not for client authentication/],
    ['with another common name', () => ({ subject: { commonName: 'other', organization: 'Acme' } }), /names/],
    ['without the organization', () => ({ subject: { commonName: 'worker' } }), /names/],
    ['without the DNS name', () => ({ extensions: [] }), /names/],
    ['that does not live as long as asked', () => ({ notAfter: new Date(now.getTime() + day / 2) }), /notAfter/],
    ['that lives longer than asked', () => ({ notAfter: new Date(now.getTime() + 2 * day) }), /notAfter/],
    ['that is not valid yet', () => ({ notBefore: new Date(now.getTime() + day / 2) }), /notBefore/],
    ['with the serial number zero', () => ({ serial: Buffer.of(0) }), /serial number zero/],
    ['with a long serial number', () => ({ serial: Buffer.alloc(21, 1) }), /serial number of more than 20 octets/],
    ['with an extension twice', () => ({ extensions: [named, extensions.clientAuth, twice, twice] }), /twice/],
    [
      'whose issuer is the name of its CA in another string type',
      () => ({
        issuer: printableName([oids.organization, 'Acme'], [oids.commonName, ca.certificate.commonNames[0]!]),
      }),
      /issuer .* byte for byte/,
    ],
    [
      'with the key identifier of another CA',
      () => ({ extensions: [named, extensions.authorityKeyIdentifier(Buffer.alloc(20, 1))] }),
      /authority key identifier/,
    ],
    ['with a key of another type', () => ({ algorithm: 'P-384' }), /key of type P-384, not P-256/],
  ];
  for (const [what, made, problem] of cases)
    it(`a leaf ${what} is refused`, async () => assert.match((await problemOf(await made())) ?? 'good', problem));

  it('a pair that does not match is refused, whether CA or leaf', async () => {
    const { key } = await make();
    assert.match(checkLeaf({ ...(await make()), key }, ca, asked) ?? 'good', /does not match its key/);
    assert.match(checkCa({ ...ca, key }, askedCa) ?? 'good', /does not match its key/);
  });

  it('a CA that is none, or that another one signed, is refused', async () => {
    assert.match(checkCa(await make(), askedCa) ?? 'good', /is no CA/);
    assert.match(checkCa(await aCaUnder(ca), askedCa) ?? 'good', /not signed by its own key/);
    assert.equal(checkCa(ca, askedCa), undefined);
  });

  it('a CA is of the key type, and lives as long, as was asked', async () => {
    assert.match(checkCa(ca, { ...askedCa, algorithm: 'P-384' }) ?? 'good', /key of type P-256, not P-384/);
    for (const [lifetimeMs, later] of [
      [364 * day, 0],
      [366 * day, 0],
      [365 * day, day],
    ] as const) {
      const request = { ...askedCa, lifetimeMs, now: new Date(now.getTime() + later) };
      assert.match(checkCa(ca, request) ?? 'good', /\((notBefore|notAfter)\)/);
    }
  });

  it('what is left out is told, in one sentence; of a complete leaf nothing', async () => {
    const [warning] = warningsOf((await make()).certificate);
    assert.match(warning!, /leaves out basicConstraints, subjectKeyIdentifier, authorityKeyIdentifier;/);
    const id = Buffer.alloc(20, 1);
    const all = [
      extensions.notCa,
      extensions.digitalSignature,
      extensions.clientAuth,
      extensions.subjectKeyIdentifier(id),
      extensions.authorityKeyIdentifier(id),
    ];
    const complete = await make({ extensions: all });
    assert.deepEqual(warningsOf(complete.certificate), []);
  });
});
