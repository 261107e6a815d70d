import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Journal, brokenLink } from '../src/audit-journal.js';
import { firstOfChain, type AuditEvent } from '../src/domain/audit.js';

describe('safety 27: audit events are a chain', () => {
  function journal(count: number): AuditEvent[] {
    const events: AuditEvent[] = [];
    // As a log keeps them: lines of JSON.
    const chain = new Journal((event) => events.push(JSON.parse(JSON.stringify(event)) as AuditEvent));
    for (let index = 0; index < count; index += 1)
      chain.write({ event: 'leafDelivered', subject: `target/${index}`, before: undefined, configuration: 'digest' });
    return events;
  }

  it('each is versioned and timed, and holds the hash of the one before it', () => {
    const [first, second] = journal(2) as [AuditEvent, AuditEvent];
    assert.deepEqual([first.version, first.sequence, first.previous], [1, 1, firstOfChain]);
    assert.deepEqual([second.sequence, second.previous, second.stream], [2, first.hash, first.stream]);
    assert.match(first.at, /^20\d\d-\d\d-\d\dT.*Z$/);
  });

  it('as written it is unbroken', () => {
    assert.equal(brokenLink(journal(5)), undefined);
    assert.equal(brokenLink([]), undefined);
  });

  const tampering: [string, (events: AuditEvent[]) => readonly AuditEvent[], RegExp][] = [
    ['a changed one', ([a, b, c]) => [a!, { ...b!, subject: 'target/other' }, c!], /entry 2 was changed/],
    ['one that was taken out', ([a, , c]) => [a!, c!], /entry 2 does not follow/],
    ['the first one taken out', ([, b, c]) => [b!, c!], /entry 1 does not follow/],
    ['two that were swapped', ([a, b, c]) => [a!, c!, b!], /entry 2 does not follow/],
    ['one of another process', ([a, b]) => [a!, b!, ...journal(3).slice(2)], /entry 3 does not follow/],
  ];
  for (const [what, tamper, broken] of tampering) {
    it(`${what} is noticed`, () => assert.match(brokenLink(tamper(journal(3))) ?? '', broken));
  }
});
