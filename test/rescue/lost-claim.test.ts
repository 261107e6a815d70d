import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it, mock } from 'node:test';
import { Connection } from '@temporalio/client';
import { loadConfig, type LoadedConfig } from '../../src/config/load.js';
import { allowVariable } from '../../src/config/powers.js';
import { entries } from '../../src/domain/ids.js';
import { createKeystore } from '../../src/keystore/index.js';
import type { Keystore } from '../../src/keystore/keystore.js';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import { sandboxMarker } from '../../src/kubernetes/marker.js';
import { claimRescue } from '../../src/rescue/claim.js';
import { rescue, type RescueUnderWay } from '../../src/rescue/rescue.js';
import { findTool } from '../../src/sandbox/tools/index.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';

describe('safety 42: a rescue that somebody else took over', () => {
  let cluster: Cluster;
  let keystore: Keystore;
  let loaded: LoadedConfig;
  let temporal: string;
  before(async () => {
    [cluster, temporal] = await Promise.all([startCluster(), findTool('temporal')]);
    const place = { kind: 'kubernetes', namespace: 'cert-rotation', allowPlaintext: true } as const;
    keystore = createKeystore(place, { kubernetes: cluster.admin });
    const [file, apiKey] = [join(cluster.dir, 'rotation.yaml'), join(cluster.dir, 'api-key')];
    await writeFile(apiKey, 'of nobody', { mode: 0o600 });
    await writeFile(file, await configuration(apiKey), { mode: 0o600 });
    loaded = await loadConfig(file);
    process.env[allowVariable] = 'foreign-cloud';
  });
  after(() => cluster?.stop());
  afterEach(() => mock.restoreAll());

  /** Nobody is let in, because there is nobody; and the rotation waits for a cloud that is not there. */
  async function configuration(apiKey: string): Promise<string> {
    const { namespace, name } = sandboxMarker;
    type Marker = KubernetesObject & { readonly data: { readonly id: string } };
    const marker = await cluster.admin.get<Marker>(`/api/v1/namespaces/${namespace}/configmaps/${name}`);
    return `version: 1
temporal: {}
cloud: { kind: ops-api, address: "127.0.0.1:1", apiKey: { file: ${apiKey} } }
keystore: { kind: kubernetes, allowPlaintext: true }
kubernetes: { kubeconfig: ${cluster.kubeconfig}, sandbox: "${marker?.data.id}" }
namespaces: { booking.acct: { endpoints: ["127.0.0.1:1"] } }
authorities: { booking: { subject: { organization: Booking }, namespaces: [booking.acct] } }
targets: {}
`;
  }

  /** Claims are renewed when a test says so; every other timer is real, because a real Temporal runs. */
  function renewals(): readonly (() => void)[] {
    const real = globalThis.setTimeout;
    const kept: (() => void)[] = [];
    mock.method(globalThis, 'setTimeout', ((work: () => void, ...rest: unknown[]) => {
      if (!new Error('who asks').stack?.includes('/rescue/claim.')) return real(work, ...(rest as [number]));
      kept.push(work);
      return undefined;
    }) as never);
    return kept;
  }

  const answers = async (address: string): Promise<boolean> => {
    const connection = await Connection.connect({ address, connectTimeout: 500 }).catch(() => undefined);
    await connection?.close();
    return connection !== undefined;
  };

  it('stops at once, and its rotation with it; the claim of whoever took it over stays', async () => {
    const [timers, { signal }] = [renewals(), new AbortController()];
    const person = { authority: 'booking', who: 'ada', why: 'nobody saw the notices' };
    let address = '';
    const takenOver = async ({ client, workflowId, ...underWay }: RescueUnderWay): Promise<void> => {
      address = underWay.address;
      const rotation = client.workflow.getHandle(workflowId);
      await eventually(async () => (await rotation.describe()).raw.pendingActivities?.length === 1);
      const lapsed = () => new Date(Date.now() + 6 * 60_000);
      await claimRescue(keystore, { authority: 'booking', by: 'bob', now: lapsed, lost: () => undefined });
      timers[0]!();
      await eventually(async () => !(await answers(address)));
    };
    const what = { ...person, temporal: { path: temporal }, audit: () => undefined, signal };
    await assert.rejects(rescue(loaded, what, takenOver), { type: 'RescueRunning', message: /^bob rescues booking/ });
    assert.equal(await answers(address), false, 'its Temporal goes on');
    const claim = await keystore.get(entries.rescue('booking'));
    assert.equal((claim!.record as { by: string }).by, 'bob');
  });
});
