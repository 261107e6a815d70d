import { startCloudApi, type CloudApi, type CloudApiOptions } from '../../src/sandbox/cloud/control-plane.js';
import { CloudStore, newSpec } from '../../src/sandbox/cloud/store.js';
import type { ServerCertificate } from './server-certificate.js';

export interface TestCloud {
  readonly store: CloudStore;
  readonly api: CloudApi;
}

/** The sandbox's Temporal Cloud with one namespace that trusts `bundlePem`; its operations take no time worth waiting for. */
export async function startTestCloud(
  options: ServerCertificate & Pick<CloudApiOptions, 'tcldKeepsFields'> & { namespace: string; bundlePem: string },
): Promise<TestCloud> {
  const { namespace, bundlePem, ...server } = options;
  const store = new CloudStore({ operationMs: 60, onTrust: async () => undefined });
  store.create(namespace, newSpec(namespace.split('.')[0]!, { bundlePem, filters: [] }));
  const api = await startCloudApi({
    store,
    ...server,
    mtlsAddressOf: () => 'orders.example:7233',
    checkDurationMs: 20,
  });
  return { store, api };
}
