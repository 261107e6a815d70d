import type { WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import type { FailureType } from '../../src/domain/failures.js';
import type { CaPlan, RotationStatus } from '../../src/domain/rotation.js';
import { certificateFacts } from '../support/certificate-facts.js';
import { automatic, evidence, failing, gate, leafPlan, plan, untilCancelled } from '../support/fake-activities.js';
import type { WorkflowTests } from '../support/temporal-env.js';

/** One outcome of one workflow, as its history is kept. */
export interface Scenario {
  readonly workflow: string;
  readonly workflowId: string;
  readonly input?: object;
  /** What the activities do instead of succeeding. */
  readonly activities?: Partial<Activities>;
  /** What people do while it runs. */
  readonly meanwhile?: Meanwhile;
}

type Meanwhile = (tests: WorkflowTests, handle: WorkflowHandle) => Promise<unknown>;

const leaf = { workflow: 'leafRotation', workflowId: 'leaf/worker', input: { target: 'worker' } };
const ca = { workflow: 'caRotation', workflowId: 'ca/booking', input: { authority: 'booking' } };
const person = { who: 'ada', why: 'all workers moved' };

const planned = (more: Partial<CaPlan>): Partial<Activities> => ({
  resolveCaRotation: async ({ authority }) => plan(authority, more),
});
/** Fails at its first call, and succeeds from then on. */
function failingOnce(type: FailureType): () => Promise<undefined> {
  let calls = 0;
  return async () => ((calls += 1) === 1 ? failing(type)() : undefined);
}
const emergency = { who: 'ada', why: 'its key leaked', leaked: 'current' };
/** The next CA of the first attempt leaks, that of the second does not. */
function leakedFirst(): Activities['issueCa'] {
  let made = 0;
  return async () => ({
    ca: certificateFacts((made += 1) === 1 ? 'new-ca' : 'newer-ca'),
    old: certificateFacts('old-ca'),
  });
}
/** Somebody falls off after the first removal, and nobody after the second. */
function onceNotPutBack(): Activities['removeCa'] {
  let removals = 0;
  return async () => ((removals += 1) === 1 ? failing('NotPutBack')() : { lines: ['watched'] });
}
const asked = (then: (handle: WorkflowHandle) => Promise<unknown>): Meanwhile => {
  return async (tests, handle) => {
    await tests.reach(handle, 'approve');
    await then(handle);
  };
};
const whenItWaitsForAPerson = (then: (handle: WorkflowHandle) => Promise<unknown>): Meanwhile => {
  return async (tests, handle) => {
    await tests.eventually(async () => {
      const { waitingFor } = await handle.query<RotationStatus>('status');
      return waitingFor.startsWith('a person, because of');
    });
    await then(handle);
  };
};
const whenScheduled = (activity: keyof Activities, then: (handle: WorkflowHandle) => Promise<unknown>): Meanwhile => {
  return async (tests, handle) => {
    await tests.eventually(async () => {
      const { events } = await handle.fetchHistory();
      return events?.some((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity);
    });
    await then(handle);
  };
};
const abort = (handle: WorkflowHandle) => handle.executeUpdate('intervene', { args: [{ ...person, action: 'abort' }] });
const oneAfterTheOther =
  (...all: readonly Meanwhile[]): Meanwhile =>
  async (tests, handle) => {
    for (const one of all) await one(tests, handle);
  };
/** The window opens later, and gives way before an expiry when it is asked again. */
function opensLater(): Activities['nextWindow'] {
  let asked = 0;
  return async () =>
    (asked += 1) === 1
      ? { waitMs: 3_600_000, by: 'window', line: 'the next one opens in an hour' }
      : { waitMs: 0, by: 'expiry', line: 'it gives way' };
}
const noticeTo = (notifier: string) => ({
  notifier,
  message: { event: 'expiry', title: 'CA old-ca expires in 6 days', lines: [], commands: [] } as const,
  ids: ['old-ca'],
});
const notifiers = [
  { notifier: 'ops', events: ['approvalWanted', 'decisionWanted', 'caDone', 'leafDone', 'windowsGaveWay', 'failed'] },
] as const;
/** Since the configuration was read first, a target was added. */
function grownPlan(): Activities['resolveCaRotation'] {
  let reads = 0;
  return async ({ authority }) =>
    plan(authority, {
      approval: automatic,
      ...((reads += 1) > 1 && { others: ['added'], configDigest: 'another digest' }),
    });
}
/** Somebody changes what the namespaces trust while people are asked, and nobody after it. */
function changedOnce(): Activities['compareTrust'] {
  let looks = 0;
  return async () => ({ changes: (looks += 1) === 1 ? ['namespace booking.acct trusts CA theirs'] : [] });
}
/** Somebody is not on the new CA when it is looked first, and everybody is after that. */
function missingOnce(): Activities['gatherEvidence'] {
  let looks = 0;
  return async () => ((looks += 1) === 1 ? evidence({ complete: false, missing: ['worker'] }) : evidence());
}
/** Its canary is in the hands of a leaf rotation that runs already: it is followed to its end, and the canary is moved after it. */
function afterAnotherLeafRotation(): Pick<Scenario, 'activities' | 'meanwhile'> {
  const [begun, followed, ended] = [gate(), gate(), gate()];
  const target = 'booking-canary';
  return {
    activities: {
      resolveCaRotation: async ({ authority }) => {
        await begun.opened;
        return plan(authority, { approval: automatic });
      },
      preflightLeaf: async () => {
        await followed.opened;
        return { consumers: [], warnings: [] };
      },
      followRotation: async () => {
        followed.open();
        await ended.opened;
      },
    },
    meanwhile: async (tests) => {
      const other = await tests.start('leafRotation', `leaf/${target}`, { target });
      begun.open();
      await other.result();
      ended.open();
    },
  };
}
const two = ['booking.acct', 'orders.acct'];
const signed = { ...person, evidence: evidence().digest, signature: 'signature' };
const manual = plan('').approval;

const cancelled: Meanwhile = async (tests, handle) => {
  await tests.reach(handle, 'rollout');
  await tests.cancel(handle);
};

/** By the name of the file that keeps the history. Every workflow, and every way in which a rotation may end. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  'leaf-rotated': leaf,
  'leaf-skipped': {
    ...leaf,
    activities: { preflightLeaf: async () => ({ consumers: [], warnings: [], skip: 'Not due' }) },
  },
  'leaf-refused': { ...leaf, activities: { testConnection: failing('ProbeRefused') } },
  'leaf-restored': { ...leaf, activities: { rollOut: failing('RolloutFailed') } },
  'leaf-cancelled': { ...leaf, activities: { rollOut: untilCancelled }, meanwhile: cancelled },
  'leaf-under-another-id': { ...leaf, workflowId: 'some-id' },
  'ca-rotated-by-policy': {
    ...ca,
    activities: planned({ approval: automatic, others: ['one', 'two'], alone: ['self'] }),
  },
  'ca-approved': { ...ca, meanwhile: asked((handle) => handle.signal('approveCaRemoval', person)) },
  'ca-approved-by-update': {
    ...ca,
    meanwhile: asked((handle) =>
      handle.executeUpdate('decideCaRemoval', {
        args: [{ decision: 'approve', ...person, evidence: evidence().digest }],
      }),
    ),
  },
  'ca-rejected': { ...ca, meanwhile: asked((handle) => handle.signal('rejectCaRemoval', person)) },
  'ca-nobody-decided': ca,
  'ca-cancelled': { ...ca, meanwhile: asked((handle) => handle.cancel()) },
  'ca-question-void': {
    ...ca,
    activities: { ...planned({ approval: { ...manual, deadlineMs: 7_200_000 } }), compareTrust: changedOnce() },
  },
  'ca-evidence-missing': {
    ...ca,
    activities: {
      ...planned({ approval: automatic }),
      gatherEvidence: async () => evidence({ complete: false, missing: ['worker'] }),
    },
    meanwhile: whenItWaitsForAPerson((handle) => handle.signal('skipTarget', { ...person, target: 'evidence' })),
  },
  'ca-approval-void': {
    ...ca,
    activities: { ...planned({ approval: automatic }), removeCa: failing('EvidenceChanged') },
    meanwhile: asked((handle) => handle.signal('rejectCaRemoval', person)),
  },
  'ca-full-bundle': { ...ca, activities: { preflightCa: failing('BundleFull') } },
  'ca-undone': { ...ca, activities: { ...planned({ approval: automatic }), removeCa: failing('NotAdopted') } },
  'ca-target-tried-again': {
    ...ca,
    activities: { ...planned({ approval: automatic }), rollOut: failingOnce('RolloutFailed') },
    meanwhile: oneAfterTheOther(
      whenItWaitsForAPerson((handle) => handle.signal('retryTarget', { ...person, target: 'booking-canary' })),
      asked((handle) => handle.signal('approveCaRemoval', person)),
    ),
  },
  'ca-trusted-again': {
    ...ca,
    activities: {
      ...planned({ approval: automatic }),
      trustCa: async () => ({ operationId: 'operation' }),
      testConnection: failingOnce('ProbeRefused'),
    },
    meanwhile: asked((handle) => handle.signal('approveCaRemoval', person)),
  },
  'ca-target-skipped': {
    ...ca,
    activities: {
      ...planned({ approval: automatic, others: ['bad'] }),
      rollOut: ({ target }) => (target === 'bad' ? failing('RolloutFailed')() : Promise.resolve()),
    },
    meanwhile: whenItWaitsForAPerson((handle) => handle.signal('skipTarget', { ...person, target: 'bad' })),
  },
  'ca-aborted': {
    ...ca,
    activities: { ...planned({ approval: automatic }), rollOut: failing('RolloutFailed') },
    meanwhile: whenItWaitsForAPerson((handle) => handle.signal('abortCaRotation', person)),
  },
  'ca-aborted-after-targets-moved': {
    ...ca,
    activities: {
      abortFacts: async () => ({
        ca: certificateFacts('new-ca'),
        old: certificateFacts('old-ca'),
        trustedBy: ['booking.acct'],
        moved: ['booking-canary'],
      }),
      targetsOnCa: async () => ({ targets: ['booking-canary'] }),
    },
    meanwhile: asked(abort),
  },
  'ca-aborted-before-it-was-made': {
    ...ca,
    activities: { preflightCa: untilCancelled, abortFacts: async () => ({ trustedBy: [], moved: [] }) },
    meanwhile: whenScheduled('preflightCa', abort),
  },
  'ca-aborted-with-one-of-an-earlier-run': {
    ...ca,
    activities: {
      issueCa: untilCancelled,
      takeUpNext: async () => ({ ca: certificateFacts('new-ca'), old: certificateFacts('old-ca') }),
    },
    meanwhile: whenScheduled('issueCa', abort),
  },
  'ca-evidence-tried-again': {
    ...ca,
    activities: { ...planned({ approval: automatic }), gatherEvidence: missingOnce() },
    meanwhile: oneAfterTheOther(
      whenItWaitsForAPerson((handle) => handle.signal('retryTarget', { ...person, target: 'evidence' })),
      asked((handle) => handle.signal('approveCaRemoval', person)),
    ),
  },
  'ca-after-another-leaf-rotation': { ...ca, ...afterAnotherLeafRotation() },
  'ca-removed-from-two-namespaces': { ...ca, activities: planned({ approval: automatic, namespaces: two }) },
  'ca-undone-in-two-namespaces': {
    ...ca,
    activities: {
      ...planned({ approval: automatic, namespaces: two }),
      removeCa: async ({ before }) =>
        before.namespace === two[1] ? failing('NotAdopted')() : { lines: ['the old CA is refused'] },
    },
  },
  'ca-undone-by-a-person': {
    ...ca,
    activities: { ...planned({ approval: automatic }), removeCa: untilCancelled },
    meanwhile: async (tests, handle) => {
      await tests.eventually(async () => {
        const { waitingFor } = await handle.query<RotationStatus>('status');
        return / to leave /.test(waitingFor);
      });
      await handle.signal('undoRemoval', person);
    },
  },
  'ca-emergency': { ...ca, input: { ...ca.input, emergency } },
  'ca-escalated': {
    ...ca,
    meanwhile: asked((handle) => handle.executeUpdate('emergency', { args: [emergency] })),
  },
  'ca-next-leaked': {
    ...ca,
    activities: {
      issueCa: leakedFirst(),
      declareCompromised: async () => ({ next: 'new-ca', lines: [] }),
    },
    meanwhile: asked((handle) => handle.executeUpdate('emergency', { args: [{ ...emergency, leaked: 'next' }] })),
  },
  'ca-not-put-back': {
    ...ca,
    input: { ...ca.input, emergency },
    activities: { removeCa: onceNotPutBack() },
  },
  'ca-rescued': {
    ...ca,
    input: { ...ca.input, emergency: { ...emergency, leaked: 'none', lockOutUnknown: true } },
    activities: {
      declareCompromised: async () => ({ lines: [] }),
      issueCa: async () => ({
        ca: certificateFacts('new-ca'),
        old: certificateFacts('old-ca', { notAfter: '2020-01-01T00:00:00.000Z' }),
      }),
    },
  },
  'leaf-leaked': {
    ...leaf,
    activities: { rollOut: untilCancelled },
    meanwhile: async (tests, handle) => {
      await tests.reach(handle, 'rollout');
      await handle.signal('leafLeaked', emergency);
      await tests.cancel(handle);
    },
  },
  'ca-told-and-windowed': {
    ...ca,
    activities: {
      ...planned({ approval: { ...manual, remindEveryMs: 3_600_000 }, windowed: true, notifiers }),
      nextWindow: opensLater(),
    },
    meanwhile: asked((handle) => handle.signal('approveCaRemoval', person)),
  },
  'ca-signed-by-two': {
    ...ca,
    activities: planned({ approval: { ...manual, secondPerson: true, approvers: ['ada', 'bob'] } }),
    meanwhile: asked(async (handle) => {
      for (const who of ['ada', 'bob'])
        await handle.executeUpdate('decideCaRemoval', { args: [{ ...signed, decision: 'approve', who }] });
    }),
  },
  'ca-aborted-with-both-kept': {
    ...ca,
    activities: { ...planned({ approval: automatic }), rollOut: failing('RolloutFailed') },
    meanwhile: whenItWaitsForAPerson((handle) =>
      handle.executeUpdate('intervene', { args: [{ ...person, action: 'abort', keepBoth: true }] }),
    ),
  },
  'ca-configuration-grew': { ...ca, activities: { resolveCaRotation: grownPlan() } },
  'leaf-told-and-windowed': {
    ...leaf,
    activities: {
      resolveLeafRotation: async ({ target }) => ({ ...leafPlan(target), windowed: true, notifiers }),
      nextWindow: opensLater(),
    },
  },
  'ca-under-another-id': { ...ca, workflowId: 'another-id', activities: planned({ approval: automatic }) },
  scheduled: { workflow: 'scheduledLeafRotation', workflowId: 'scheduled-leaf-rotation-1' },
  'scheduled-not-renewed': {
    workflow: 'scheduledLeafRotation',
    workflowId: 'scheduled-leaf-rotation-2',
    activities: { testConnection: failing('ProbeRefused') },
  },
  'expiry-notices': { workflow: 'expiryNotices', workflowId: 'expiry-notices-1' },
  'expiry-notices-told': {
    workflow: 'expiryNotices',
    workflowId: 'expiry-notices-2',
    activities: {
      takeNotices: async () => ({
        notices: ['ops', 'team'].map(noticeTo),
        rotate: [],
        rotateLeaves: [],
        unrecorded: [],
        unseen: [],
      }),
      tellNotice: async ({ notifier }) =>
        notifier === 'team' ? failing('NotifierRefused')() : Promise.resolve({ warnings: [] }),
    },
  },
  'expiry-notices-rotating': {
    workflow: 'expiryNotices',
    workflowId: 'expiry-notices-3',
    activities: {
      ...planned({ approval: automatic }),
      takeNotices: async () => ({
        notices: [],
        rotate: [{ authority: 'orders' }],
        rotateLeaves: [{ target: 'worker' }],
        unrecorded: [{ authority: 'orders', runId: 'terminated' }],
        unseen: [],
      }),
    },
  },
};
