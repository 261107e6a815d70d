import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ConfigurationError, loadConfig, parseConfig } from '../../src/config/load.js';
import { validateConfig } from '../../src/config/validate.js';

/** As small as a complete configuration can be; the line numbers below are of this text. */
const valid = `version: 1
temporal:
  namespace: shop.acct
cloud:
  kind: ops-api
  apiKey: { env: API_KEY }
keystore:
  kind: kubernetes
  encryptionKey: { env: ENCRYPTION_KEY }
namespaces:
  shop.acct:
    filters:
      - commonName: worker
authorities:
  shop:
    subject: { organization: Shop }
    lifetime: 365d
    namespaces: [shop.acct]
    approval: { mode: manual, deadline: 5d }
targets:
  worker:
    authority: shop
    namespace: shop
    secret: shop-tls
    subject: { commonName: worker }
    lifetime: 30d
    rollout: rolling
timing:
  soak: 7m
`;

/** Ed25519, as one line of YAML. */
const publicKey =
  '-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEAaf4sxBTR4q27lxOCgHS4fgvvi/5+6oyv5kkxmoDIkOI=\\n-----END PUBLIC KEY-----\\n';

/** The text with the one place where \`from\` stands replaced. */
function edited(from: string, to: string): string {
  assert.equal(valid.split(from).length, 2, `"${from}" must be there once`);
  return valid.replace(from, to);
}

function refusalsOf(text: string): readonly string[] {
  try {
    parseConfig(text, 'rotation.yaml', '/');
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationError, `not a ConfigurationError: ${String(error)}`);
    return error.message.split('\n');
  }
}

it('the configuration that the refusals start from is valid', () => assert.deepEqual(refusalsOf(valid), []));

describe('a configuration that cannot work is refused with line, column, key, problem and fix', () => {
  const cases: [string, string, string[]][] = [
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
    // Durations
    [
      'a duration without a unit',
      edited('soak: 7m', "soak: '420'"),
      ['29:3: timing.soak: not a duration. Write one such as 90s, 15m, 24h or 365d.'],
    ],
    [
      'a duration in words',
      edited('deadline: 5d', 'deadline: five days'),
      ['19:31: authorities.shop.approval.deadline: not a duration. Write one such as 90s, 15m, 24h or 365d.'],
    ],
    [
      'a duration of nothing',
      edited('deadline: 5d', 'deadline: 0s'),
      ['19:31: authorities.shop.approval.deadline: no time at all. Write a duration of at least 1ms.'],
    ],
    [
      'reminders that come all the time',
      edited('deadline: 5d', 'remindEvery: 10s'),
      ['19:31: authorities.shop.approval.remindEvery: people would be told all the time. Make it at least 1m.'],
    ],
    [
      'a duration of ages',
      edited('lifetime: 365d', 'lifetime: 99999d'),
      ['17:5: authorities.shop.lifetime: longer than 100 years. Write a shorter duration.'],
    ],
    [
      'a schedule that is not one',
      `${valid}schedule: { cron: '@every 1h' }\n`,
      ['30:13: schedule.cron: not a cron expression. Write minute hour day month weekday, such as 0 4 * * *.'],
    ],
    [
      'a time zone that is none',
      `${valid}schedule: { timezone: Mars/Base }\n`,
      ['30:13: schedule.timezone: not a time zone. Write UTC or one such as Europe/Zurich.'],
    ],
    // Files
    ['an empty file', '', ['1:1: the file is empty. Start from examples/temporal-booking/rotation.yaml.']],
    [
      'a file of comments',
      '# nothing\n',
      ['1:1: the file is empty. Start from examples/temporal-booking/rotation.yaml.'],
    ],
    [
      'a file that is a list',
      '- version: 1\n',
      ['1:1: must be a mapping of keys to values, not a list. Start from examples/temporal-booking/rotation.yaml.'],
    ],
    [
      'broken YAML',
      edited('{ organization: Shop }', '{ organization: Shop'),
      [
        '17:5: not valid YAML: Flow map in block collection must be sufficiently indented and end with a }. Check indentation, quotes and brackets here and on the line above.',
      ],
    ],
    [
      'an alias without its anchor',
      edited('{ organization: Shop }', '*shop'),
      [
        '1:1: its aliases cannot be resolved (Unresolved alias (the anchor must be set before the alias): shop). Write the values out instead of aliases.',
      ],
    ],
    // Relations
    [
      'an unknown authority',
      edited('authority: shop', 'authority: shopp'),
      [
        '22:5: targets.worker.authority: there is no authority "shopp". Use one of: shop; or describe it under authorities.',
      ],
    ],
    [
      'an authority of a name that every object has',
      edited('authority: shop', 'authority: constructor'),
      [
        '22:5: targets.worker.authority: there is no authority "constructor". Use one of: shop; or describe it under authorities.',
      ],
    ],
    [
      'an unknown namespace',
      edited('[shop.acct]', '[shop.acct, depot.acct]'),
      [
        '18:29: authorities.shop.namespaces.1: the namespace "depot.acct" is not described under namespaces. Add it there: { depot.acct: {} }.',
      ],
    ],
    [
      'a namespace twice',
      edited('[shop.acct]', '[shop.acct, shop.acct]'),
      ['18:29: authorities.shop.namespaces.1: the namespace "shop.acct" is there twice. Remove one of the two.'],
    ],
    [
      'a task queue of another namespace',
      edited('rollout: rolling', 'taskQueues: [{ namespace: depot.acct, name: q }]'),
      [
        '27:20: targets.worker.taskQueues.0.namespace: the namespace "depot.acct" does not trust authority "shop", which signs this leaf. Use one of: shop.acct.',
      ],
    ],
    [
      'two targets on one Secret',
      edited(
        'timing:',
        '  other:\n    { authority: shop, namespace: shop, secret: shop-tls, subject: { commonName: worker } }\ntiming:',
      ),
      [
        '29:41: targets.other.secret: target "worker" holds the Secret shop/shop-tls already. Give each target a Secret of its own, or remove target "other".',
      ],
    ],
    [
      'a leaf that no filter of its namespace matches',
      edited('- commonName: worker', '- commonName: someone'),
      [
        '25:5: targets.worker.subject: no filter of namespace "shop.acct" matches this subject: the leaf would be refused. Add a filter under namespaces.shop.acct.filters that matches it, or change the subject.',
      ],
    ],
    [
      'a soak shorter than the age of a connection',
      edited('soak: 7m', 'soak: 1m'),
      [
        '29:3: timing.soak: shorter than timing.connectionAge + timing.connectionAgeGrace: a connection of the old CA could still be open. Make it at least 370s.',
      ],
    ],
    [
      'a watch shorter than the age of a connection',
      edited('soak: 7m', 'watch: 1m'),
      [
        '29:3: timing.watch: shorter than timing.connectionAge + timing.connectionAgeGrace: a connection of the old CA could still be open. Make it at least 370s.',
      ],
    ],
    [
      'a proof that could never succeed',
      edited('soak: 7m', 'proof: { over: 11m }'),
      [
        '29:12: timing.proof.over: not shorter than timing.proof.deadline: the proof could never succeed. Make it shorter than 600s.',
      ],
    ],
    [
      'a client that is neither declared nor attested',
      edited('deadline: 5d }', 'deadline: 5d }\n    clients: [{ name: CI, attestedBy: ada }]'),
      [
        '20:15: authorities.shop.clients.0: neither declared nor attested. Give either target, or attestedBy, attestedOn and because.',
      ],
    ],
    [
      'a client whose target there is not',
      edited('deadline: 5d }', 'deadline: 5d }\n    clients: [{ name: web, target: web }]'),
      [
        '20:28: authorities.shop.clients.0.target: no target "web" has a leaf of this authority. Name one that has, or attest this client.',
      ],
    ],
    [
      'an approver whose key cannot be read',
      edited('deadline: 5d }', 'deadline: 5d, approvers: { ada: { publicKey: none } } }'),
      [
        '19:65: authorities.shop.approval.approvers.ada.publicKey: no public key that can be read. Give what `openssl pkey -in <private key> -pubout` prints.',
      ],
    ],
    [
      'approvers of whom there is none',
      edited('deadline: 5d }', 'deadline: 5d, approvers: {} }'),
      ['19:45: authorities.shop.approval.approvers: nobody could approve. List somebody, or leave approvers out.'],
    ],
    [
      'a second person who cannot be told from the first',
      edited('deadline: 5d }', 'deadline: 5d, secondPerson: true }'),
      [
        '19:45: authorities.shop.approval.secondPerson: without approvers nobody can tell two people from one with two names. List approval.approvers with the public key of each, or leave secondPerson out.',
      ],
    ],
    [
      'a second person where there is one approver',
      edited('deadline: 5d }', `deadline: 5d, secondPerson: true, approvers: { ada: { publicKey: "${publicKey}" } } }`),
      [
        '19:65: authorities.shop.approval.approvers: secondPerson wants two approvers. List another one, or leave secondPerson out.',
      ],
    ],
    [
      'two approvers with one key',
      edited(
        'deadline: 5d }',
        `deadline: 5d, approvers: { ada: { publicKey: "${publicKey}" }, bob: { publicKey: "${publicKey}" } } }`,
      ),
      [
        '19:205: authorities.shop.approval.approvers.bob.publicKey: the key of ada, too: either could approve as the other. Give everybody a key of their own.',
      ],
    ],
    [
      'a notifier that there is not',
      `${valid}notices: { notify: [ops] }\n`,
      ['30:12: notices.notify: there is no notifier "ops". Describe it under notifiers.'],
    ],
  ];
  for (const [problem, text, refusals] of cases) {
    it(problem, () =>
      assert.deepEqual(
        refusalsOf(text),
        refusals.map((refusal) => `rotation.yaml:${refusal}`),
      ),
    );
  }

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

describe('safety 4: lifetimes leave time to renew', () => {
  const cases: [string, string, string][] = [
    [
      'a leaf that outlives its CA',
      edited('lifetime: 30d', 'lifetime: 400d'),
      '26:5: targets.worker.lifetime: the leaf would outlive its CA. Make it shorter than authorities.shop.lifetime, 365 days.',
    ],
    [
      'a leaf shorter than three intervals, a rollout and the time to be alarmed',
      edited('lifetime: 30d', 'lifetime: 4d'),
      '26:5: targets.worker.lifetime: shorter than 4.1 days: 3 × schedule.interval + schedule.jitter + timing.rolloutDeadline + schedule.alertTime. Make it longer (7d goes well with a daily schedule), or schedule.interval shorter.',
    ],
    [
      'a leaf renewed only when it is too late for three intervals',
      edited('rollout: rolling', 'renew: { before: 2d }'),
      '27:14: targets.worker.renew.before: shorter than 4.1 days: 3 × schedule.interval + schedule.jitter + timing.rolloutDeadline + schedule.alertTime. Make it at least 4.1 days, or write renew: always.',
    ],
    [
      'runs that begin too late for a leaf',
      edited('lifetime: 30d', 'lifetime: 5d').replace('timing:', 'schedule: { jitter: 12h, interval: 36h }\ntiming:'),
      '26:5: targets.worker.lifetime: shorter than 6.1 days: 3 × schedule.interval + schedule.jitter + timing.rolloutDeadline + schedule.alertTime. Make it longer (7d goes well with a daily schedule), or schedule.interval shorter.',
    ],
    [
      'runs that come at random',
      edited('timing:', 'schedule: { jitter: 13h }\ntiming:'),
      '28:13: schedule.jitter: more than half of schedule.interval: runs would come at random. Make it at most 0.5 days.',
    ],
    [
      'a leaf that would always be due',
      edited('rollout: rolling', 'renew: { before: 30d }'),
      '27:14: targets.worker.renew.before: not shorter than the lifetime of the leaf, 30 days: it would always be due. Make it shorter, or write renew: always.',
    ],
    [
      'a CA that ends before its longest leaf, the longest approval and the watch are over',
      edited('lifetime: 365d', 'lifetime: 35d\n    renewBefore: never'),
      '17:5: authorities.shop.lifetime: not longer than 35.1 days: its longest leaf + approval.deadline + timing.watch. Make it longer, or the lifetime of its leaves or approval.deadline shorter.',
    ],
    [
      'a CA whose successor would soon be due as well',
      edited('lifetime: 365d', 'lifetime: 365d\n    renewBefore: 200d'),
      '18:5: authorities.shop.renewBefore: more than half of the lifetime. Make it shorter, or never.',
    ],
    [
      'a CA whose renewal would begin too late',
      edited('lifetime: 365d', 'lifetime: 365d\n    renewBefore: 4d'),
      '18:5: authorities.shop.renewBefore: not longer than 5.1 days, which a rotation may take: approval.deadline 5 days, restarts 0.1 days, removals 0.1 days, timing.trustSoak, timing.soak. Make it longer, or never.',
    ],
  ];
  for (const [problem, text, refusal] of cases)
    it(problem, () => assert.deepEqual(refusalsOf(text), [`rotation.yaml:${refusal}`]));
});

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

describe('what the configuration refers to is checked by validate', () => {
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'cert-rotation-config-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  const problemsOf = async (text: string) => {
    const file = join(folder, 'rotation.yaml');
    await writeFile(file, text);
    const { issues } = await validateConfig(file, () => 'rotations');
    return issues.map(({ line, column, key, message }) => `${line}:${column} ${key}: ${message}`);
  };

  it('a file that is not there, and one that is a folder', async () => {
    await assert.rejects(loadConfig(join(folder, 'none.yaml')), {
      message: `${folder}/none.yaml: there is no such file. Name the file with --config or CERT_ROTATION_CONFIG.`,
    });
    await assert.rejects(loadConfig(folder), {
      message: `${folder}: is a folder, not a file. Name the file with --config or CERT_ROTATION_CONFIG.`,
    });
  });

  it('references to what is not there, each with its line', async () => {
    const text = edited('{ env: API_KEY }', '{ file: api-key }');
    assert.deepEqual(await problemsOf(text), [
      `6:3 cloud.apiKey: the file ${folder}/api-key cannot be read (ENOENT)`,
      '9:3 keystore.encryptionKey: the environment variable ENCRYPTION_KEY is missing or empty',
    ]);
  });

  it('an empty secret', async () => {
    await writeFile(join(folder, 'empty'), '\n');
    const text = edited('{ env: API_KEY }', '{ file: empty }').replace('{ env: ENCRYPTION_KEY }', '{ file: empty }');
    assert.deepEqual(await problemsOf(text), [
      `6:3 cloud.apiKey: the file ${folder}/empty is missing or empty`,
      `9:3 keystore.encryptionKey: the file ${folder}/empty is missing or empty`,
    ]);
  });

  it('files that hold no secret', async () => {
    await writeFile(join(folder, 'key'), 'x');
    await chmod(join(folder, 'key'), 0o600);
    const text = edited('{ env: API_KEY }', '{ file: key }\n  serverRootsFile: roots.pem').replace(
      '{ env: ENCRYPTION_KEY }',
      '{ file: key }',
    );
    assert.deepEqual(await problemsOf(text), [
      `7:3 cloud.serverRootsFile: the file ${folder}/roots.pem cannot be read (ENOENT)`,
    ]);
  });
});
