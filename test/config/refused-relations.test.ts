import { describe, it } from 'node:test';
import { assertRefused, edited, valid } from '../support/shop-config.js';

/** Ed25519, as one line of YAML. */
const publicKey =
  '-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEAaf4sxBTR4q27lxOCgHS4fgvvi/5+6oyv5kkxmoDIkOI=\\n-----END PUBLIC KEY-----\\n';

describe('what does not go together is refused with line, column, key, problem and fix', () => {
  const cases: [problem: string, text: string, refusals: string[]][] = [
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
  for (const [problem, text, refusals] of cases) it(problem, () => assertRefused(text, refusals));
});
