import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { parseConfig } from '../../src/config/load.js';
import { refusePowers } from '../../src/config/powers.js';
import type { RotationError } from '../../src/domain/failures.js';

const cloud = { kind: 'ops-api', apiKey: { env: 'API_KEY' } };

function parse(parts: object = {}, comment = '') {
  const config = {
    version: 1,
    temporal: {},
    cloud,
    keystore: { kind: 'kubernetes', encryptionKey: { env: 'ENCRYPTION_KEY' } },
    namespaces: { 'shop.acct': {} },
    authorities: { shop: { subject: { organization: 'Shop' }, namespaces: ['shop.acct'] } },
    targets: {},
    ...parts,
  };
  return parseConfig(`${comment}${stringify(config)}`, 'rotation.yaml', '/');
}

const authority = (issuer: object) => ({
  authorities: { shop: { issuer, subject: { organization: 'Shop' }, namespaces: ['shop.acct'] } },
});

describe('safety 24: what a configuration may not do by itself', () => {
  const uses: Readonly<Record<string, [parts: object, word: string, what: RegExp]>> = {
    'an address that is not Temporal’s': [
      { cloud: { ...cloud, address: 'saas-api.tmprl.cloud.evil.example:443' } },
      'foreign-cloud',
      /API key would go to saas-api\.tmprl\.cloud\.evil\.example:443/,
    ],
    'an address that only ends as Temporal’s does': [
      { cloud: { ...cloud, address: 'eviltmprl.cloud:443' } },
      'foreign-cloud',
      /API key would go to eviltmprl\.cloud:443/,
    ],
    'roots of its own, which anybody in between could have made': [
      { cloud: { ...cloud, serverRootsFile: '/tmp/roots.pem' } },
      'foreign-cloud',
      /API key would go to/,
    ],
    'a program that changes namespaces': [
      { cloud: { ...cloud, kind: 'tcld', binary: '/tmp/tcld' } },
      'commands',
      /^cloud: \/tmp\/tcld would be run/,
    ],
    'a program that probes': [
      { probe: { kind: 'temporal-cli', binary: '/tmp/temporal' } },
      'commands',
      /^probe: \/tmp\/temporal would be run/,
    ],
    'a program that issues': [
      authority({ kind: 'certstrap', binary: '/tmp/certstrap' }),
      'commands',
      /^authorities\.shop\.issuer: \/tmp\/certstrap would be run/,
    ],
  };
  for (const [use, [parts, word, what]] of Object.entries(uses))
    it(`${use}: NotGranted, unless the worker was started with ${word}`, () => {
      const { config } = parse(parts);
      for (const granted of [undefined, '', 'all', word === 'commands' ? 'foreign-cloud' : 'commands'])
        assert.throws(
          () => refusePowers(config, granted),
          ({ type, message }: RotationError) => type === 'NotGranted' && what.test(message) && message.includes(word),
        );
      refusePowers(config, word);
      refusePowers(config, `other, ${word}`);
    });

  it('safety 24: the defaults, and Temporal’s own addresses, need no grant', () => {
    refusePowers(parse().config, undefined);
    refusePowers(parse({ cloud: { ...cloud, address: 'saas-api.tmprl.cloud:443' } }).config, undefined);
  });

  it('safety 24: all that is missing is named at once, with what the variable must be', () => {
    const both = { ...authority({ kind: 'certstrap', binary: '/tmp/c' }), cloud: { ...cloud, address: 'evil:1' } };
    assert.throws(() => refusePowers(parse(both).config, 'other'), {
      message: /evil:1.*; authorities\.shop\.issuer.*CERT_ROTATION_ALLOW=other,foreign-cloud,commands /,
    });
  });
});

describe('safety 24: the hash of the resolved configuration', () => {
  it('safety 24: is the same for another layout, and for a default that is written out', () => {
    const { digest } = parse();
    assert.match(digest, /^[0-9a-f]{64}$/);
    assert.equal(parse({}, '# a comment\n').digest, digest);
    assert.equal(parse({ probe: { kind: 'client' } }).digest, digest);
  });

  it('safety 24: is another one for whatever a rotation would do otherwise', () => {
    const changes: readonly object[] = [
      {},
      { timing: { watch: '8m' } },
      { namespaces: { 'shop.acct': { filters: [{ organization: 'Shop' }] } } },
      { namespaces: { 'shop.acct': { endpoints: ['elsewhere.example:7233'] } } },
      { cloud: { ...cloud, apiKey: { env: 'ANOTHER_KEY' } } },
      authority({ kind: 'builtin', algorithm: 'P-256' }),
    ];
    assert.equal(new Set(changes.map((change) => parse(change).digest)).size, changes.length);
  });
});
