import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { otherConfigurations, presentedBy, reportIdentity } from '../../src/domain/reports.js';

const at = (seconds: number): string => new Date(Date.parse('2026-11-24T10:00:00.000Z') + seconds * 1000).toISOString();
const report = (process: string, value: string, seconds = 0) => ({
  identity: reportIdentity({ process, value }),
  lastAccessTime: at(seconds),
});

describe('safety 19: what a pod reports to present', () => {
  it('is what its newest report says, in whatever order the reports come', () => {
    const reports = [report('7@worker-1', 'new', 60), report('7@worker-1', 'old', 0)];
    assert.deepEqual(presentedBy('worker-1', reports), ['new']);
    assert.deepEqual(presentedBy('worker-1', [...reports].reverse()), ['new']);
  });

  it('is nothing where it reports nothing, whoever else does', () => {
    const reports = [report('7@worker-10', 'new'), report('7@my-worker-1', 'new')];
    assert.deepEqual(presentedBy('worker-1', reports), []);
    assert.deepEqual(presentedBy('worker-1', [{ identity: '7@worker-1', lastAccessTime: at(0) }]), []);
  });

  it('is what each of its processes presents', () => {
    const both = [report('7@worker-1', 'new', 60), report('8@worker-1', 'old', 30)];
    assert.deepEqual(presentedBy('worker-1', both), ['new', 'old']);
  });

  it('is what each of the connections of a process presents, also the one that has not moved', () => {
    const both = [report('7@worker-1@aaaa', 'new', 60), report('7@worker-1@bbbb', 'old', 30)];
    assert.deepEqual(presentedBy('worker-1', both), ['new', 'old']);
  });

  it('is not what a process presented that is gone', () => {
    const restarted = [report('7@worker-1', 'old', 0), report('8@worker-1', 'new', 151)];
    assert.deepEqual(presentedBy('worker-1', restarted), ['new']);
  });
});

describe('safety 34: rotation workers that use another configuration are named', () => {
  it('each by its newest report', () => {
    const reports = [
      report('7@rotation-1', 'aaaa', 0),
      report('7@rotation-1', 'bbbb', 30),
      report('8@rotation-2', 'aaaa', 30),
    ];
    assert.deepEqual(otherConfigurations('aaaa', reports), [
      'rotation worker 7@rotation-1 uses configuration bbbb, not aaaa',
    ]);
    assert.deepEqual(otherConfigurations('aaaa', reports.slice(2)), []);
    assert.deepEqual(otherConfigurations('aaaa', []), []);
  });

  it('but for one that is gone', () => {
    assert.deepEqual(
      otherConfigurations('aaaa', [report('7@rotation-1', 'bbbb', 0), report('8@rotation-2', 'aaaa', 76)]),
      [],
    );
  });
});
