import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, edited, refusalsOf, valid } from '../support/shop-config.js';

it('the configuration that the refusals start from is valid', () => assert.deepEqual(refusalsOf(valid), []));

describe('a configuration that cannot work is refused with line, column, key, problem and fix', () => {
  const cases: [problem: string, text: string, refusals: string[]][] = [
    // Keys
    [
      'an unknown key at the top',
      edited('timing:\n', 'timming:\n'),
      ['28:1: timming: unknown key. Did you mean "timing"?'],
    ],
    [
      'an unknown key further in',
      edited('rollout: rolling', 'rolout: rolling'),
      ['27:5: targets.worker.rolout: unknown key. Did you mean "rollout"?'],
    ],
    [
      'an unknown key that is like no other',
      edited('soak: 7m', 'patience: 7m'),
      [
        '29:3: timing.patience: unknown key. Remove it. Known here: connectionAge, connectionAgeGrace, secretPropagation, rolloutDeadline, pollDeadline, proof, trustSoak, soak, watch.',
      ],
    ],
    [
      'a key that is missing',
      edited('    authority: shop\n', ''),
      ['21:3: targets.worker.authority: missing. Add it, for example authority: booking.'],
    ],
    [
      'a key that is there twice',
      edited('soak: 7m', 'soak: 7m\n  soak: 8m'),
      ['30:3: this key is there twice. Remove one of the two.'],
    ],
    [
      'a section that is missing',
      edited('cloud:\n  kind: ops-api\n  apiKey: { env: API_KEY }\n', ''),
      ['1:1: cloud: missing. Add it, for example cloud: { kind: ops-api, apiKey: { env: TEMPORAL_CLOUD_API_KEY } }.'],
    ],
    // Types and values
    [
      'a number where a text belongs',
      edited('{ commonName: worker }', '{ commonName: 7 }'),
      ['25:16: targets.worker.subject.commonName: must be a text, not a number. Put it in quotes, or write a text.'],
    ],
    [
      'a text where a list belongs',
      edited('[shop.acct]', 'shop.acct'),
      [
        '18:5: authorities.shop.namespaces: must be a list, not a text. Change it, for example namespaces: [ my-namespace.my-account ].',
      ],
    ],
    [
      'a section without content',
      edited('  namespace: shop.acct\n', ''),
      [
        '2:1: temporal: must be a mapping of keys to values, not nothing. Change it, for example temporal: { namespace: my-namespace.my-account }.',
      ],
    ],
    [
      'an empty list',
      edited('[shop.acct]', '[]'),
      [
        '18:5: authorities.shop.namespaces: empty. Give at least one entry, for example namespaces: [ my-namespace.my-account ].',
      ],
    ],
    [
      'a word that is none of those allowed',
      edited('rollout: rolling', 'rollout: quick'),
      ['27:5: targets.worker.rollout: not a value that this key takes. Use one of: rolling, scale, none.'],
    ],
    [
      'another version',
      edited('version: 1', 'version: 2'),
      ['1:1: version: not a value that this key takes. Write version: 1.'],
    ],
    [
      'a kind that there is not',
      edited('kind: ops-api', 'kind: soap'),
      ['5:3: cloud.kind: not a value that this key takes. Use one of: ops-api, tcld.'],
    ],
    [
      'a secret where its reference belongs, without repeating it',
      edited('{ env: API_KEY }', 'sk-12345'),
      [
        '6:3: cloud.apiKey: not a value that this key takes. Change it, for example apiKey: { env: TEMPORAL_CLOUD_API_KEY }.',
      ],
    ],
    [
      'a reference to two places',
      edited('{ env: API_KEY }', '{ env: API_KEY, file: key }'),
      ['6:27: cloud.apiKey.file: one key too many. Give only one of: env, file.'],
    ],
    [
      'a subject with nothing in it',
      edited('{ organization: Shop }', '{}'),
      ['16:5: authorities.shop.subject: empty. Give at least one of commonName, organization, organizationalUnit.'],
    ],
    [
      'a common name that no certificate holds',
      edited('{ commonName: worker }', `{ commonName: ${'x'.repeat(65)} }`),
      ['25:16: targets.worker.subject.commonName: too long. Give at most 64 characters.'],
    ],
    [
      'a filter with a * in the middle',
      edited('- commonName: worker', '- commonName: wor*er'),
      [
        '13:9: namespaces.shop.acct.filters.0: a * stands where it may not. Write one at the beginning or at the end, never alone.',
      ],
    ],
    [
      'keys without encryption',
      edited('  encryptionKey: { env: ENCRYPTION_KEY }\n', ''),
      [
        '7:1: keystore.encryptionKey: private keys would be kept unencrypted. Give a key-encryption key, such as { env: CERT_ROTATION_KEY }, or say allowPlaintext: true.',
      ],
    ],
  ];
  for (const [problem, text, refusals] of cases) it(problem, () => assertRefused(text, refusals));

  it('every problem of a file at once, in the order of its lines', () => {
    const text = edited('rollout: rolling', 'rollout: quick')
      .replace('version: 1', 'version: 2')
      .replace('7m', 'never');
    assert.deepEqual(
      refusalsOf(text).map((line) => line.split(': ').slice(0, 2).join(': ')),
      ['rotation.yaml:1:1: version', 'rotation.yaml:27:5: targets.worker.rollout', 'rotation.yaml:29:3: timing.soak'],
    );
  });
});
