import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judge, see, worst, type Look, type Watch } from '../../src/domain/watch.js';

const limits = { end: 400, awayMs: 70, blindMs: 370 };
const looks: Record<Look['kind'], Look> = {
  well: { kind: 'well' },
  blind: { kind: 'blind', line: 'no answer' },
  away: { kind: 'away', line: 'not ready' },
  lost: { kind: 'lost', line: 'refused' },
};

describe('the watch after a removal', () => {
  const cases: [string, [number, Look['kind']][], ReturnType<typeof judge>][] = [
    ['goes on while all is well', [[399, 'well']], 'on'],
    ['is over when all is well at its end', [[400, 'well']], 'over'],
    ['is lost as soon as somebody is locked out', [[1, 'lost']], 'lost'],
    [
      'goes on while somebody is away for a moment',
      [
        [100, 'away'],
        [169, 'away'],
      ],
      'on',
    ],
    [
      'is lost when somebody stays away',
      [
        [100, 'away'],
        [170, 'away'],
      ],
      'lost',
    ],
    [
      'counts an absence from its begin',
      [
        [100, 'away'],
        [150, 'well'],
        [160, 'away'],
        [229, 'away'],
      ],
      'on',
    ],
    [
      'goes on blind, however long, before its end',
      [
        [1, 'blind'],
        [399, 'blind'],
      ],
      'on',
    ],
    [
      'goes on blind beyond its end',
      [
        [380, 'blind'],
        [749, 'blind'],
      ],
      'on',
    ],
    [
      'is lost when it stays blind beyond its end',
      [
        [380, 'blind'],
        [750, 'blind'],
      ],
      'lost',
    ],
    [
      'is lost at its end when it was blind all the time',
      [
        [1, 'blind'],
        [400, 'blind'],
      ],
      'lost',
    ],
    [
      'is not over while it is blind at its end',
      [
        [390, 'well'],
        [401, 'blind'],
      ],
      'on',
    ],
    [
      'is over once it sees again that all is well',
      [
        [401, 'blind'],
        [500, 'well'],
      ],
      'over',
    ],
    [
      'is not over while somebody is away at its end',
      [
        [390, 'well'],
        [410, 'away'],
      ],
      'on',
    ],
  ];
  for (const [promise, seen, verdict] of cases) {
    it(promise, () => {
      let watch: Watch | undefined;
      for (const [now, kind] of seen) watch = see(watch, looks[kind], now);
      assert.equal(judge(watch!, limits, seen.at(-1)![0]), verdict);
    });
  }

  it('of several findings the worst counts', () => {
    const { well, blind, away, lost } = looks;
    assert.equal(worst([]).kind, 'well');
    assert.equal(worst([well, blind, well]), blind);
    assert.equal(worst([blind, away]), away);
    assert.equal(worst([away, lost, blind]), lost);
  });
});
