import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities } from '../../src/activities/index.js';
import type { Evidence } from '../../src/domain/evidence.js';
import { failures, type FailureType } from '../../src/domain/failures.js';
import type { CaPlan, LeafPlan } from '../../src/domain/rotation.js';
import { certificateFacts } from './certificate-facts.js';

export interface Call {
  readonly name: keyof Activities;
  readonly input: Readonly<Record<string, unknown>>;
}

export interface FakeActivities {
  readonly activities: Activities;
  /** In the order in which they began, retries included. */
  readonly calls: readonly Call[];
  /** Names of the calls, in order, but for looks while people are asked and the record at the end, which have tests of their own. */
  names(): readonly string[];
}

/** No person is asked, unless something is in doubt. */
export const automatic = { mode: 'automatic', deadlineMs: 5 * 86_400_000, remindEveryMs: 86_400_000 } as const;

/** All targets are on the new CA, and these namespaces trust the old one. */
export function evidence(
  changes: Partial<Evidence> = {},
  trusting: readonly string[] = ['booking.acct', 'one', 'two', 'three'],
): Evidence {
  const facts = [
    ...trusting.map((namespace) => `namespace ${namespace} trusts CA old-ca`),
    'target canary has a leaf of CA new-ca',
  ];
  const digest = 'a'.repeat(64);
  return {
    complete: true,
    lines: ['all are on the new CA'],
    missing: [],
    unknownPollers: [],
    facts,
    digest,
    ...changes,
  };
}

/** The soak is so short that no time needs to be skipped; tests that wait say so. */
export const plan = (authority: string, plan: Partial<CaPlan> = {}): CaPlan => ({
  authority,
  namespaces: ['booking.acct'],
  canaries: [`${authority}-canary`],
  alone: [],
  others: [],
  approval: { mode: 'manual', deadlineMs: 5 * 86_400_000, remindEveryMs: 86_400_000 },
  clients: ['Declared: CI, attested by ann on 2026-01-01: it uses an API key.'],
  trustSoakMs: 0,
  soakMs: 10,
  watchMs: 7 * 60_000,
  blindMs: 370_000,
  proofDeadlineMs: 600_000,
  rolloutDeadlineMs: 600_000,
  configDigest: 'digest',
  searchAttributes: false,
  ...plan,
});

export const leafPlan = (target: string): LeafPlan => ({
  target,
  authority: 'authority',
  namespaces: ['booking.acct'],
  rolloutDeadlineMs: 600_000,
  proofDeadlineMs: 600_000,
  configDigest: 'digest',
  searchAttributes: false,
});

/** Activities that succeed and record their calls; `overrides` replace some. */
export function fakeActivities(overrides: Partial<Activities> = {}): FakeActivities {
  const calls: Call[] = [];
  const trusting = new Set<string>();
  const delivery = { leaf: 'new-leaf', at: '2026-01-01T00:00:00.000Z' };
  const all: Activities = {
    resolveCaRotation: async ({ authority }) => plan(authority),
    resolveLeafRotation: async ({ target }) => leafPlan(target),
    listTargets: async () => ['one', 'two', 'three'],
    verifyApproval: async () => ({}),
    preflightCa: async () => ({ lines: ['booking.acct trusts 1 of 16 CAs'] }),
    issueCa: async () => ({ ca: certificateFacts('new-ca'), old: certificateFacts('old-ca') }),
    trustCa: async ({ namespace }) => {
      const isTrusted = trusting.has(namespace);
      trusting.add(namespace);
      return isTrusted ? {} : { operationId: 'operation' };
    },
    proveTrust: async () => ({ line: 'booking.acct admits leaves of the new CA' }),
    widenFilters: async () => ({ line: 'filters stay' }),
    moveSigner: async () => undefined,
    gatherEvidence: async () => evidence(),
    compareTrust: async () => ({ changes: [] }),
    markRetiring: async () => undefined,
    rememberTrust: async ({ namespace }) => ({
      namespace,
      bundle: [certificateFacts('old-ca')],
      filters: [],
      removing: ['old-ca'],
    }),
    removeCa: async () => ({ lines: ['the old CA is refused'] }),
    restoreTrust: async () => ({}),
    keepBothCas: async () => undefined,
    nextWindow: async () => ({ waitMs: 0, by: 'open', line: 'permitted now' }),
    finishCa: async () => undefined,
    recordRotation: async () => undefined,
    recordCutShort: async () => undefined,
    abortFacts: async () => ({
      ca: certificateFacts('new-ca'),
      old: certificateFacts('old-ca'),
      trustedBy: ['booking.acct'],
      moved: [],
    }),
    takeUpNext: async () => ({}),
    moveSignerBack: async () => undefined,
    targetsOnCa: async () => ({ targets: [] }),
    dropCa: async () => undefined,
    abandonCa: async () => undefined,
    declareCompromised: async () => ({ current: 'old-ca', lines: [] }),
    gatherExposure: async () => [{ ca: 'old-ca', namespaces: ['booking.acct'], targets: [] }],
    preflightLeaf: async () => ({
      current: certificateFacts('old-leaf'),
      consumers: ['Deployment booking/worker'],
      warnings: [],
    }),
    issueLeaf: async ({ target }) => ({
      certificate: certificateFacts('new-leaf'),
      issuedBy: 'new-ca',
      entry: `leaf.${target}`,
    }),
    testConnection: async () => undefined,
    updateTarget: async () => delivery,
    rollOut: async () => undefined,
    confirmAdoption: async () => ({
      adopted: true,
      holders: [{ name: 'pod-1', adopted: true, evidence: 'started with the leaf' }],
    }),
    discardPairs: async () => undefined,
    restoreTarget: async () => ({ line: 'The previous pair is back.', restored: true }),
    followRotation: async () => undefined,
    notify: async () => ({ warnings: [] }),
    takeNotices: async () => ({ notices: [], rotate: [], rotateLeaves: [], unrecorded: [], unseen: [] }),
    tellNotice: async () => ({ warnings: [] }),
    releaseNotices: async () => undefined,
    ...overrides,
  };
  const recorded = Object.entries(all).map(([name, activity]) => [
    name,
    (input: Record<string, unknown> = {}) => {
      calls.push({ name: name as keyof Activities, input });
      return (activity as (input: unknown) => Promise<unknown>)(input);
    },
  ]);
  return {
    activities: Object.fromEntries(recorded) as Activities,
    calls,
    names: () => calls.map(({ name }) => name).filter((name) => !['compareTrust', 'recordRotation'].includes(name)),
  };
}

/** Fails as the activity would, with a failure of the closed set. */
export function failing(type: FailureType): () => Promise<never> {
  return async () => {
    throw ApplicationFailure.create({ type, message: `planted ${type}.`, nonRetryable: !failures[type].retryable });
  };
}

/** Never ends of itself: heartbeats until it is cancelled. */
export async function untilCancelled(): Promise<never> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 20);
  try {
    return await context.cancelled;
  } finally {
    clearInterval(beat);
  }
}

/** A gate that an activity waits at until the test opens it. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
