import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { edited, refusalsOf } from '../support/shop-config.js';

describe('safety 24: no name and no value becomes an option, a path segment or a second line', () => {
  const cases: [string, string, string][] = [
    ['a target', '  worker:\n    authority', '  --help:\n    authority'],
    ['a target with a path', '  worker:\n    authority', '  "../x":\n    authority'],
    [
      'a target with a dot: entries of the keystore are separated by dots',
      '  worker:\n    authority',
      '  a.b:\n    authority',
    ],
    [
      'a target too long for a Secret of the keystore',
      '  worker:\n    authority',
      `  ${'a'.repeat(101)}:\n    authority`,
    ],
    ['an authority', '  shop:\n', '  Shop:\n'],
    ['a Kubernetes namespace with a dot', 'namespace: shop\n', 'namespace: shop.x\n'],
    ['a Kubernetes namespace of 64 characters', 'namespace: shop\n', `namespace: ${'n'.repeat(64)}\n`],
    ['a Secret with an empty label', 'secret: shop-tls', 'secret: shop..tls'],
    ['a Secret of 254 characters', 'secret: shop-tls', `secret: ${'s'.repeat(254)}`],
    ['a Secret with a path', 'secret: shop-tls', 'secret: ../shop-tls'],
    ['a Temporal namespace', '  namespace: shop.acct\ncloud', '  namespace: --tls\ncloud'],
    ['an address', '  namespace: shop.acct\ncloud', '  address: --tls:7233\ncloud'],
    ['a port', '  namespace: shop.acct\ncloud', '  address: localhost:70000\ncloud'],
    ['a profile', '  namespace: shop.acct\ncloud', '  profile: --tls\ncloud'],
    ['an environment variable', '{ env: API_KEY }', '{ env: "API-KEY=x" }'],
    ['a subject on two lines', '{ organization: Shop }', '{ organization: "Shop\\nX" }'],
    ['a subject that begins as an option', '{ organization: Shop }', '{ organization: --out }'],
    ['a DNS name', 'rollout: rolling', 'dnsNames: [--x]'],
    ['a URI', 'rollout: rolling', 'uris: ["not a uri"]'],
  ];
  for (const [what, from, to] of cases)
    it(what, () => assert.equal(refusalsOf(edited(from, to)).length, 1, refusalsOf(edited(from, to)).join('\n')));
});
