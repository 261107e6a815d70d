import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { codeOf } from '../../src/cli/rotate.js';
import { detailLines, type StatusDetail } from '../../src/cli/status-detail.js';
import { nextOf, rowTable, toRow, waitOf } from '../../src/cli/status-row.js';
import type { Step, Told } from '../../src/temporal/history.js';
import { certificateFacts } from '../support/certificate-facts.js';
import { evidence } from '../support/fake-activities.js';

const startedAt = '2026-11-24T10:00:00.000Z';
const until = '2026-11-29T10:00:00.000Z';

function aStep(activity: string, phase: string, more: Partial<Step> = {}): Step {
  return { activity, phase, summary: `do ${activity}`, state: 'done', startedAt, seconds: 1, ...more };
}

function told(more: Partial<Told> = {}): Told {
  const base = { steps: [], results: {}, waiting: false, outcome: 'running' as const, startedAt, at: startedAt };
  return { ...base, actions: 0, heartbeatsAtMost: 0, children: [], ...more };
}

/** What the activities returned before a person is asked. */
const results = { issueCa: { old: certificateFacts('old-ca') }, gatherEvidence: evidence() };

const gathered = [aStep('preflightCa', 'preflight'), aStep('gatherEvidence', 'confirm')];

describe('a row of the table says what a rotation does, waits for and came to', () => {
  const cases: [string, Told | undefined, [string, string, string]][] = [
    ['nothing known', undefined, ['none known', '', '']],
    ['not begun', told(), ['running', '', 'starting; is a worker running?']],
    [
      'a step under way',
      told({ steps: [aStep('trustCa', 'trust', { state: 'running' })] }),
      ['running', 'trust', 'do trustCa'],
    ],
    [
      'a wait for time',
      told({ steps: [aStep('rollOut', 'leaves')], waiting: true, timer: { summary: 'Let it settle', firesAt: until } }),
      ['running', 'leaves', 'waits: Let it settle (until 2026-11-29T10:00:00Z)'],
    ],
    [
      'a wait for a person',
      told({ steps: gathered, results, waiting: true, timer: { firesAt: until } }),
      [
        'running',
        'approve',
        'waits for a person: cert-rotation approve shop --who <you> --why <reason>   (or: reject)',
      ],
    ],
    ...['verifyApproval', 'compareTrust'].map((activity): [string, Told, [string, string, string]] => [
      `a wait for a person, after ${activity}`,
      told({ steps: [...gathered, aStep(activity, '')], results, waiting: true, timer: { firesAt: until } }),
      [
        'running',
        'approve',
        'waits for a person: cert-rotation approve shop --who <you> --why <reason>   (or: reject)',
      ],
    ]),
    [
      'a child',
      told({ steps: [aStep('issueCa', 'issue')], children: ['leaf/worker'] }),
      ['running', 'issue', 'follows leaf/worker'],
    ],
    ['failed', told({ outcome: 'failed', failure: 'ProbeRefused' }), ['failed', '', 'ProbeRefused']],
    ['completed', told({ outcome: 'completed', result: { notAfter: until } }), ['completed', '', '']],
    [
      'terminated before it made a CA',
      told({ outcome: 'terminated' }),
      ['terminated', '', 'cert-rotation rotate ca shop'],
    ],
    [
      'terminated: the next one goes on',
      told({ outcome: 'terminated', results: { issueCa: { ca: certificateFacts('new-ca') } } }),
      ['terminated', '', 'cert-rotation rotate ca shop   (goes on with CA new-ca)'],
    ],
    [
      'both CAs kept',
      told({ outcome: 'completed', result: { outcome: 'keptBoth' } }),
      ['completed', '', 'cert-rotation rotate ca shop'],
    ],
  ];
  for (const [what, history, [outcome, phase, now]] of cases) {
    it(what, () => {
      const row = toRow('ca/shop', history);
      assert.deepEqual([row.outcome, row.phase, row.now], [outcome, phase, now]);
    });
  }

  it('the table has its columns aligned, and one line per rotation', () => {
    const rows = [
      toRow('ca/shop', told({ outcome: 'failed', failure: 'one\ntwo' })),
      toRow('leaf/a', told({ outcome: 'completed', result: { notAfter: until } })),
    ];
    assert.deepEqual(rowTable(rows), [
      'ROTATION  STATE      PHASE  VALID UNTIL  NOW',
      'ca/shop   failed                         one',
      'leaf/a    completed         2026-11-29',
    ]);
  });
});

describe('the detail of a rotation', () => {
  const detail = (more: Partial<StatusDetail>): StatusDetail => ({
    ...toRow('ca/shop', told({ steps: gathered })),
    startedAt,
    steps: gathered,
    waitsFor: '',
    next: '',
    children: [],
    pending: [],
    worker: 'live',
    exposed: [],
    details: '',
    ...more,
  });

  it('shows each step with its time, and its failure', () => {
    const steps = [...gathered, aStep('removeCa', 'remove', { state: 'failed', failure: 'refused' })];
    assert.deepEqual(detailLines(detail({ steps })).slice(2), [
      '  ✓  10:00:00  1.0 s  preflight  do preflightCa',
      '  ✓  10:00:00  1.0 s  confirm    do gatherEvidence',
      '  ✗  10:00:00  1.0 s  remove     do removeCa',
      '      refused',
    ]);
  });

  it('shows the last heartbeat of the step under way, and why it is tried again', () => {
    const { seconds: _, ...underWay } = aStep('proveTrust', 'trust', { state: 'running' });
    const pending = [
      { activity: 'proveTrust', attempt: 3, progress: 'admitted 2 times', lastFailure: 'no answer yet' },
    ];
    assert.deepEqual(detailLines(detail({ steps: [underWay], pending })).slice(2), [
      '  …  10:00:00    trust  do proveTrust',
      '      admitted 2 times',
      '      attempt 3; before: no answer yet',
    ]);
  });

  it('says what it waits for, what to do next, and that no worker answers', () => {
    const waiting = told({ steps: gathered, results, waiting: true, timer: { firesAt: until } });
    const lines = detailLines(detail({ waitsFor: waitOf(waiting)!, next: nextOf('ca/shop', waiting), worker: 'none' }));
    assert.ok(lines.includes('Waits for: a person to decide on the removal of the old CA'));
    assert.ok(lines.includes('Next: cert-rotation approve shop --who <you> --why <reason>   (or: reject)'));
    assert.ok(lines.includes('No live worker answers: this is from history alone.'));
  });

  it('safety 43: says what is still exposed, also where no worker answers', () => {
    const exposed = ['Compromised CA old-ca is still trusted by 1 namespace (one)'];
    assert.ok(detailLines(detail({ exposed, worker: 'none' })).includes(`EMERGENCY: ${exposed[0]}`));
  });

  it('ends with what the workflow says of itself', () => {
    const lines = detailLines(detail({ details: '**CA shop**: phase **trust**\n\nProved:\n- it works' }));
    assert.deepEqual(lines.slice(-5), [
      'The workflow says:',
      '  CA shop: phase trust',
      '',
      '  Proved:',
      '  - it works',
    ]);
  });
});

describe('the exit code of a rotation that was followed', () => {
  const cases: [string, Told, number][] = [
    ['rotated', told({ outcome: 'completed', result: { outcome: 'rotated' } }), 0],
    ['a leaf that was not due', told({ outcome: 'completed', result: { outcome: 'skipped' } }), 0],
    ['rejected: both CAs stay', told({ outcome: 'completed', result: { outcome: 'keptBoth' } }), 3],
    ['aborted', told({ outcome: 'completed', result: { outcome: 'aborted' } }), 1],
    ['failed', told({ outcome: 'failed' }), 1],
    ['cancelled', told({ outcome: 'cancelled' }), 1],
    ['terminated', told({ outcome: 'terminated' }), 1],
  ];
  for (const [what, history, code] of cases) it(what, () => assert.equal(codeOf(history), code));
});
