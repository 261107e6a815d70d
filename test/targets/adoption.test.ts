import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgePod, type AdoptionFacts } from '../../src/targets/kubernetes/adoption.js';
import type { Consumer } from '../../src/targets/kubernetes/consumers.js';
import type { Pod } from '../../src/targets/kubernetes/objects.js';
import { stampFor } from '../../src/targets/kubernetes/stamp.js';

const delivery = { leaf: 'aa11', at: '2026-01-01T10:00:00Z' };
const created = '2026-01-01T10:01:01Z';
const metadata = { name: 'worker-1', creationTimestamp: created, annotations: stampFor(delivery) };
const pod: Pod = { metadata, status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } };
const consumer: Consumer = { kind: 'Deployment', name: 'worker', path: '', workload: {} };
const polling = (identity: string, lastAccessTime = '2026-01-01T10:02:00Z') => [
  { name: 'booking', pollers: [{ identity, lastAccessTime }] },
];

/** Rolled out by a restart: everything is proved. */
const restarted: AdoptionFacts = {
  pod,
  consumer,
  newest: true,
  delivery,
  propagationMs: 60_000,
  queues: polling('7@worker-1'),
  presented: undefined,
  reloads: false,
};
const withPod = (change: Pod): Partial<AdoptionFacts> => ({ pod: { ...pod, ...change } });

const refused: Readonly<Record<string, [Partial<AdoptionFacts>, RegExp]>> = {
  'it carries no stamp': [withPod({ metadata: { ...metadata, annotations: {} } }), /another certificate/],
  'it carries the stamp of another leaf': [
    withPod({ metadata: { ...metadata, annotations: stampFor({ ...delivery, leaf: 'bb22' }) } }),
    /another certificate/,
  ],
  'it carries the stamp of an earlier delivery of the same leaf': [
    withPod({ metadata: { ...metadata, annotations: stampFor({ ...delivery, at: '2026-01-01T09:00:00Z' }) } }),
    /another certificate/,
  ],
  'it is not of the newest revision': [{ newest: false }, /newest revision/],
  'nothing that can be rolled owns it': [
    { consumer: undefined } as unknown as AdoptionFacts,
    /nothing that can be rolled/,
  ],
  'it was created a second before every kubelet had the Secret': [
    withPod({ metadata: { ...metadata, creationTimestamp: '2026-01-01T10:01:00Z' } }),
    /before every kubelet/,
  ],
  'it is ending': [withPod({ metadata: { ...metadata, deletionTimestamp: created } }), /still ending/],
  'it is not ready': [withPod({ status: { phase: 'Running' } }), /not ready: pod worker-1: Running/],
  'nobody polls': [{ queues: [{ name: 'booking', pollers: [] }] }, /does not poll task queue booking/],
  'another pod polls, whose name begins as its own': [{ queues: polling('7@worker-10') }, /does not poll/],
  'another pod polls, whose name ends as its own': [{ queues: polling('7@my-worker-1') }, /does not poll/],
  'a namesake polled before it was created': [
    { queues: polling('7@worker-1', '2026-01-01T10:01:00Z') },
    /does not poll/,
  ],
  'it polls one of two queues': [
    { queues: [...polling('7@worker-1'), { name: 'billing', pollers: [] }] },
    /does not poll task queue billing/,
  ],
  'it presents another certificate, whatever stamp it carries': [{ presented: 'bb22' }, /presents another/],
  'it reloads by itself and reports nothing, whatever stamp it carries': [{ reloads: true }, /does not report/],
  'it presents the leaf and does not poll': [{ presented: 'aa11', queues: polling('7@other') }, /does not poll/],
};

describe('safety 19: a pod is not adopted when', () => {
  for (const [name, [change, evidence]] of Object.entries(refused))
    it(name, () => {
      const judged = judgePod({ ...restarted, ...change });
      assert.equal(judged.adopted, false);
      assert.match(judged.evidence, evidence);
    });
});

const adopted: Readonly<Record<string, Partial<AdoptionFacts>>> = {
  'it has the stamp, is new enough, of the newest revision, ready and polls': {},
  'its poller says the host with its domain': { queues: polling('7@worker-1.workers.booking.svc') },
  'it belongs to no task queue': { queues: [] },
  'it presents the leaf and polls, however old it is': {
    ...withPod({ metadata: { name: 'worker-1', creationTimestamp: '2025-01-01T00:00:00Z' } }),
    presented: 'aa11',
    newest: false,
    reloads: true,
  },
};

describe('safety 19: a pod is adopted when', () => {
  for (const [name, change] of Object.entries(adopted))
    it(name, () => {
      const judged = judgePod({ ...restarted, ...change });
      assert.deepEqual([judged.name, judged.adopted], ['worker-1', true], judged.evidence);
    });
});
