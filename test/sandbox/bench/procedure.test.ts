import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { fromTheRecord, heldSince } from '../../../src/sandbox/bench/procedure.js';
import { booking } from '../../../src/sandbox/configuration.js';
import type { GatewayEvent } from '../../../src/sandbox/gateway/index.js';
import type { SecretObject } from '../../../src/sandbox/traffic.js';
import { aCa, aLeaf } from '../../support/certificates.js';

const { namespace, taskQueue } = booking;
const traffic = { from: 10_000, to: 20_000 };
const common = { namespace, frontend: 0 };

/** Both kinds of polls by a worker with that leaf. */
const polls = (leaf: string, from: number, to: number): GatewayEvent[] =>
  ['PollWorkflowTaskQueue', 'PollActivityTaskQueue'].flatMap((method, kind): GatewayEvent[] => {
    const about = { ...common, method, leaf, taskQueue, identity: 'worker', call: from + kind };
    return [
      { ...about, t: from, kind: 'rpc-start' },
      { ...about, t: to, kind: 'rpc-end', code: 'OK' },
    ];
  });
const refused = (t: number, leaf?: string): GatewayEvent => ({
  ...common,
  t,
  kind: 'refused',
  ...(leaf && { leaf }),
  reason: 'unknown CA',
});
const failed = (t: number, leaf: string): GatewayEvent => ({
  ...common,
  t,
  kind: 'rpc-end',
  leaf,
  call: t,
  method: 'StartWorkflowExecution',
  code: 'PermissionDenied',
});

describe('safety 28: what is counted of a procedure is what its workers and starters met, while it ran', () => {
  const held = new Map([
    ['old', 0],
    ['new', 15_000],
  ]);
  const steady = [...polls('old', 9000, 15_000), ...polls('new', 15_000, 21_000)];
  const cases: [string, GatewayEvent[], number, number][] = [
    ['nothing of a healthy one', [], 0, 0],
    ['a refused handshake of a worker', [refused(12_000, 'old')], 1, 0],
    ['a refused call of a worker with its new leaf', [failed(16_000, 'new')], 1, 0],
    [
      'not the connection test with a leaf that no Secret holds yet',
      [refused(14_000, 'new'), failed(14_500, 'new')],
      0,
      0,
    ],
    ['not that of the Temporal CLI, which shows no leaf where its CA is not trusted yet', [refused(14_000)], 0, 0],
    ['not a leaf that no worker ever has', [refused(16_000, 'a probe')], 0, 0],
    ['not what failed before it', [failed(9000, 'old')], 0, 0],
    ['not what failed after it', [failed(20_500, 'new')], 0, 0],
  ];
  for (const [promise, more, failedCalls, workerDowntimeMs] of cases)
    it(promise, () => {
      const record = [...steady, ...more].toSorted((a, b) => a.t - b.t);
      const seen = fromTheRecord(record, held, traffic);
      assert.deepEqual([seen.failedCalls, seen.workerDowntimeMs], [failedCalls, workerDowntimeMs]);
    });

  it('a gap between the polls of the old and the new workers is downtime', () => {
    const record = [...polls('old', 9000, 13_000), ...polls('new', 15_500, 21_000)];
    assert.equal(fromTheRecord(record, held, traffic).workerDowntimeMs, 2500);
  });
});

describe('since when a leaf is one of a worker', () => {
  let [before_, after_]: [SecretObject, SecretObject] = [{}, {}];
  let [old, renewed] = ['', ''];
  before(async () => {
    const ca = await aCa();
    const secret = ({ pem }: { pem: string }, writers: readonly [manager: string, time: string, field: string][]) => ({
      metadata: {
        managedFields: writers.map(([manager, time, field]) => ({ manager, time, fieldsV1: { [field]: {} } })),
      },
      data: { 'tls.crt': Buffer.from(pem).toString('base64') },
    });
    const [one, other] = [(await aLeaf(ca)).certificate, (await aLeaf(ca)).certificate];
    [old, renewed] = [one.fingerprint, other.fingerprint];
    before_ = secret(one, [['setup', '2026-01-01T00:00:00Z', 'f:data']]);
    after_ = secret(other, [
      ['setup', '2026-01-01T00:00:00Z', 'f:data'],
      ['kubectl', '2026-01-01T00:01:00Z', 'f:data'],
      ['labels', '2026-01-01T00:02:00Z', 'f:metadata'],
    ]);
  });

  it('is always for the leaf in place before, and for a new one when the data of its Secret was last written', () =>
    assert.deepEqual(
      heldSince([before_], [after_]),
      new Map([
        [renewed, Date.parse('2026-01-01T00:01:00Z')],
        [old, 0],
      ]),
    ));

  it('is always for a leaf that stayed', () => assert.deepEqual(heldSince([before_], [before_]), new Map([[old, 0]])));
});
