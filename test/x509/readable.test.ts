import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { oids } from '../../src/x509/der.js';
import { element, nullValue, oid, sequence, set, type Der } from '../../src/x509/encode.js';
import { unreadable } from '../../src/x509/readable.js';
import { aCaUnder, extension, generalNames, printableName, type CaOptions } from '../support/chains.js';
import { oracleHere } from '../support/oracle.js';

/** Tags of string types. */
const [ia5String, t61String, universalString, bmpString] = [22, 20, 28, 30];

/** An organization, its characters as the type has them: two octets each in a BMPString, one in the others. */
const named = (type: number, value: string): CaOptions => {
  const octets = type === bmpString ? Buffer.from(value, 'utf16le').swap16() : Buffer.from(value, 'latin1');
  return { subject: sequence(set(sequence(oid(oids.organization), element(type, octets)))) };
};
const printable = (value: string): CaOptions => ({ subject: printableName([oids.organization, value]) });
const extended = (...extensions: readonly Der[]): CaOptions => ({ extensions });
const alternative = (name: Der) => extended(extension(oids.subjectAltName, false, sequence(name)));
const constrained = (name: Der): CaOptions => ({ constraints: { permitted: [name] } });
const { dns, email, uri, ip } = generalNames;

const rows: readonly [what: string, options: CaOptions, problem: RegExp | undefined][] = [
  ['nothing odd', {}, undefined],
  ['a PrintableString with every character that it has', printable("Az 09'()+,-./:=?"), undefined],
  ['a PrintableString with * and &, which Go lets pass', printable('A&B *.example.com'), undefined],
  ['a PrintableString with _', printable('temporal_ca'), /characters .*PrintableString/],
  ['a PrintableString with @', printable('ca@acme'), /characters .*PrintableString/],
  ['a PrintableString with a letter that is not ASCII', printable('Acm\xe9'), /PrintableString/],
  ['an IA5String', named(ia5String, 'ca@acme'), undefined],
  ['an IA5String with a letter that is not ASCII', named(ia5String, 'Acm\xe9'), /IA5String/],
  ['a T61String', named(t61String, 'Acm\xe9'), undefined],
  ['a BMPString', named(bmpString, 'Acm\u00e9'), undefined],
  ['a BMPString with what is no character', named(bmpString, 'Acme\ufffe'), /BMPString/],
  ['a UniversalString', named(universalString, '\0\0\0A'), /string type/],
  [
    'an extension twice',
    extended(extension('1.2.3.4', false, nullValue()), extension('1.2.3.4', false, nullValue())),
    /twice/,
  ],
  ['a critical key identifier', extended(extension(oids.authorityKeyIdentifier, true, sequence())), /critical/],
  [
    'a critical pointer to its issuer',
    extended(extension(oids.authorityInformationAccess, true, sequence())),
    /critical/,
  ],
  ['an alternative name that is not ASCII', alternative(dns('\xe9.example')), /malformed alternative name \(dns\)/],
  ['a URI with a space', alternative(uri('spiffe://a b')), /malformed alternative name \(uri\)/],
  ['an address of five octets', alternative(ip(1, 2, 3, 4, 5)), /malformed alternative name \(ip\)/],
  ['a constraint with an empty label', constrained(dns('a..b')), /malformed name constraint \(dns\)/],
  ['a constraint that is no mailbox', constrained(email('@a')), /malformed name constraint \(email\)/],
  ['a URI constraint that is an address', constrained(uri('1.2.3.4')), /malformed name constraint \(uri\)/],
  ['a mask with gaps', constrained(ip(10, 0, 0, 0, 255, 0, 255, 0)), /malformed name constraint \(ip\)/],
  ['constraints that name nothing', { constraints: {} }, /name nothing/],
];

describe('safety 1: what Go does not parse is told from what it does', () => {
  const oracle = oracleHere();

  for (const [what, options, problem] of rows)
    it(what, async () => {
      const { certificate } = await aCaUnder(undefined, options);
      const said = unreadable(certificate);
      if (problem) assert.match(said ?? 'nothing', problem);
      else assert.equal(said, undefined);
      assert.equal(oracle.admits(certificate.pem, certificate.pem), problem === undefined);
    });

  it('a name in a BMPString or a T61String is read as it is meant', async () => {
    for (const type of [bmpString, t61String]) {
      const { certificate } = await aCaUnder(undefined, named(type, 'Acm\u00e9'));
      assert.deepEqual(certificate.organizations, ['Acm\u00e9']);
    }
  });
});
