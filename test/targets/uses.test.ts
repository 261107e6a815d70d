import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PodSpec } from '../../src/targets/kubernetes/objects.js';
import { neverSeesUpdates } from '../../src/targets/kubernetes/uses.js';

describe('safety 20: who reads a Secret so that it never sees a new one', () => {
  const reading = (container: object): PodSpec => ({
    volumes: [
      { name: 'certs', secret: { secretName: 'worker-tls' } },
      { name: 'other', secret: { secretName: 'other-tls' } },
    ],
    containers: [{ name: 'worker', ...container }],
  });
  const never = (container: object) => neverSeesUpdates(reading(container), 'worker-tls');

  it('mounts one file of it, by subPath or by subPathExpr', () => {
    assert.ok(never({ volumeMounts: [{ name: 'certs', subPath: 'tls.crt' }] }));
    assert.ok(never({ volumeMounts: [{ name: 'certs', subPathExpr: '$(FILE)' }] }));
  });

  it('has it as environment', () => {
    assert.ok(never({ envFrom: [{ secretRef: { name: 'worker-tls' } }] }));
  });

  it('is nobody who mounts it as a folder, or a file of another one', () => {
    assert.equal(never({ volumeMounts: [{ name: 'certs' }, { name: 'other', subPathExpr: '$(FILE)' }] }), false);
  });
});
