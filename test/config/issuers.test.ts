import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { ConfigurationError, parseConfig } from '../../src/config/load.js';
import { secretReferences } from '../../src/config/secret-references.js';

interface Parts {
  readonly issuer: object;
  readonly authority?: object;
  readonly target?: object;
}

const tcld = { kind: 'tcld', binary: '/opt/tcld' };
const certstrap = { kind: 'certstrap', binary: '/opt/certstrap', sha256: 'a'.repeat(64) };

function parse({ issuer, authority, target }: Parts) {
  const config = {
    version: 1,
    temporal: {},
    cloud: { kind: 'ops-api', apiKey: { env: 'API_KEY' } },
    keystore: { kind: 'kubernetes', encryptionKey: { env: 'ENCRYPTION_KEY' } },
    namespaces: { 'shop.acct': {} },
    authorities: { shop: { issuer, subject: { organization: 'Shop' }, namespaces: ['shop.acct'], ...authority } },
    targets: {
      worker: {
        authority: 'shop',
        namespace: 'shop',
        secret: 'tls',
        subject: { organization: 'Shop', commonName: 'worker' },
        ...target,
      },
    },
  };
  return parseConfig(stringify(config), 'rotation.yaml', '/').config;
}

/** Key and problem of each issue. */
function problemsOf(parts: Parts): readonly string[] {
  try {
    parse(parts);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationError, String(error));
    return error.issues.map(({ key, message }) => `${key}: ${message}`);
  }
}

describe('authorities whose issuer is a program', () => {
  it('tcld and certstrap are chosen by an absolute path and, if wanted, a SHA-256', () => {
    assert.deepEqual(parse({ issuer: tcld }).authorities['shop']!.issuer, { ...tcld, algorithm: 'P-384' });
    assert.deepEqual(parse({ issuer: certstrap }).authorities['shop']!.issuer, { ...certstrap, algorithm: 'P-384' });
  });

  it('safety 26: a program is never looked for: without an absolute path it is refused', () => {
    for (const binary of ['tcld', './tcld', '../bin/tcld']) {
      const [problem, ...others] = problemsOf({ issuer: { kind: 'tcld', binary } });
      assert.deepEqual(others, []);
      assert.match(problem!, /^authorities\.shop\.issuer\.binary: .*no absolute path/);
    }
  });

  it('the passphrase of a depot is a reference, which `validate` reads', () => {
    const config = parse({ issuer: { ...certstrap, passphrase: { env: 'DEPOT' } } });
    assert.deepEqual(secretReferences(config).get('authorities.shop.issuer.passphrase'), { env: 'DEPOT' });
  });

  const refused: [string, Parts, RegExp][] = [
    ['a subject that tcld cannot give', { issuer: tcld, authority: { subject: { commonName: 'x' } } }, /shop\.subject/],
    [
      'a CA that lives too short',
      { issuer: tcld, authority: { lifetime: '7d' }, target: { lifetime: '6d' } },
      /lifetime/,
    ],
    ['a CA that lives too long', { issuer: tcld, authority: { lifetime: '366d' } }, /shop\.lifetime: tcld/],
    ['a key that tcld does not make', { issuer: { ...tcld, algorithm: 'P-256' } }, /issuer\.algorithm/],
    [
      'a leaf without organization',
      { issuer: tcld, target: { subject: { commonName: 'w' } } },
      /worker\.subject: tcld/,
    ],
    ['a leaf with DNS names', { issuer: tcld, target: { dnsNames: ['w.example'] } }, /worker\.dnsNames: tcld/],
    ['a leaf with URIs', { issuer: tcld, target: { uris: ['spiffe://shop/w'] } }, /worker\.uris: tcld/],
    ['a leaf with a key of another type', { issuer: tcld, target: { algorithm: 'P-256' } }, /worker\.algorithm: tcld/],
    [
      'a leaf without common name',
      { issuer: certstrap, target: { subject: { organization: 'S' } } },
      /worker\.subject/,
    ],
    ['a CA named like a path', { issuer: certstrap, authority: { subject: { organization: 'a/b' } } }, /shop\.subject/],
  ];
  for (const [what, parts, problem] of refused) {
    it(`what the program cannot make is refused on load: ${what}`, () => {
      assert.ok(
        problemsOf(parts).some((text) => problem.test(text)),
        problemsOf(parts).join('\n'),
      );
    });
  }
});
