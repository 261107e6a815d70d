import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { ConfigurationError, parseConfig } from '../../src/config/load.js';

interface Parts {
  /** Filters by namespace. */
  readonly filters?: Readonly<Record<string, readonly object[]>>;
  readonly sharedTrust?: boolean;
  /** Namespaces of the task queues of each of the two targets. */
  readonly polls?: readonly (readonly string[])[];
  readonly namespaces?: readonly string[];
}

/** Two targets, `a` for a.acct and `b` for b.acct, of one authority that both namespaces trust. */
function problemsOf({
  filters = {},
  sharedTrust,
  polls = [['a.acct'], ['b.acct']],
  namespaces,
}: Parts): readonly string[] {
  const target = (name: string, queues: readonly string[]) => ({
    authority: 'shop',
    namespace: 'shop',
    secret: name,
    subject: { commonName: name },
    taskQueues: queues.map((namespace) => ({ namespace, name: 'queue' })),
  });
  const config = {
    version: 1,
    temporal: {},
    cloud: { kind: 'ops-api', apiKey: { env: 'API_KEY' } },
    keystore: { kind: 'kubernetes', encryptionKey: { env: 'ENCRYPTION_KEY' } },
    namespaces: { 'a.acct': { filters: filters['a.acct'] }, 'b.acct': { filters: filters['b.acct'] } },
    authorities: {
      shop: { subject: { organization: 'Shop' }, namespaces: namespaces ?? ['a.acct', 'b.acct'], sharedTrust },
    },
    targets: { a: target('a', polls[0]!), b: target('b', polls[1]!) },
  };
  try {
    parseConfig(stringify(config), 'rotation.yaml', '/');
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationError, String(error));
    return error.issues.map(({ key, message, fix }) => `${key}: ${message}. ${fix}`);
  }
}

const [forA, forB] = [[{ commonName: 'a' }], [{ commonName: 'B' }]];
const split = { 'a.acct': forA, 'b.acct': forB };

describe('safety 5: an authority that several namespaces trust is one credential for all of them', () => {
  it('safety 5: refused without filters that keep their leaves apart, and the leaves that stray are named', () => {
    const [problem, ...more] = problemsOf({});
    assert.match(
      problem!,
      /^authorities\.shop\.namespaces: one credential .* target "a" by b\.acct, "b" by a\.acct\. /,
    );
    assert.match(problem!, /sharedTrust: true/);
    assert.deepEqual(more, []);
  });

  it('safety 5: taken when every leaf matches its own namespace and no other', () =>
    assert.deepEqual(problemsOf({ filters: split }), []));

  it('safety 5: taken without any filter, when that is meant', () =>
    assert.deepEqual(problemsOf({ sharedTrust: true }), []));

  const refused: Readonly<Record<string, [parts: Parts, problem: RegExp]>> = {
    'one namespace without filters': [{ filters: { 'a.acct': forA } }, /target "a" by b\.acct\./],
    'a filter that is too wide': [
      { filters: { ...split, 'b.acct': [{ commonName: 'a*' }, ...forB] } },
      /"a" by b\.acct\./,
    ],
    'a filter of the other namespace among them': [
      { filters: { ...split, 'a.acct': [...forA, ...forB] } },
      /"b" by a\.acct\./,
    ],
    'a target of which nobody says what it is for': [
      { filters: split, polls: [['a.acct'], []] },
      /which of them the leaf of target "b" is for is not said\. Give the target its taskQueues/,
    ],
  };
  for (const [what, [parts, problem]] of Object.entries(refused))
    it(`safety 5: refused: ${what}`, () => assert.match(problemsOf(parts).join('\n'), problem));

  it('safety 5: a leaf that is for both may be admitted by both', () => {
    const both = { 'a.acct': forA, 'b.acct': [...forA, ...forB] };
    assert.deepEqual(problemsOf({ filters: both, polls: [['a.acct', 'b.acct'], ['b.acct']] }), []);
  });

  it('safety 5: a leaf that its own namespace would refuse is still a problem of its own', () =>
    assert.match(problemsOf({ filters: { ...split, 'a.acct': [{ commonName: 'c' }] } }).join(), /targets\.a\.subject/));

  it('safety 5: one namespace alone needs no filters', () =>
    assert.deepEqual(problemsOf({ namespaces: ['a.acct'], polls: [['a.acct'], []] }), []));
});
