import { RotationError } from '../domain/failures.js';
import type { KubernetesClient, KubernetesObject } from './client.js';

export const sandboxMarker = { namespace: 'cert-rotation', name: 'cert-rotation-sandbox' } as const;

/**
 * The fence between sandbox and production (safety 25): a configuration that names a sandbox refuses a cluster without
 * that sandbox's marker, a configuration that names none refuses a cluster that carries one.
 */
export async function assertSandboxMarker(client: KubernetesClient, expected: string | undefined): Promise<void> {
  const { namespace, name } = sandboxMarker;
  const marker = await client.get<KubernetesObject & { data?: { id?: string } }>(
    `/api/v1/namespaces/${namespace}/configmaps/${name}`,
  );
  if (marker?.data?.id === expected) return;
  throw new RotationError(
    'ConfigurationInvalid',
    expected
      ? `The configuration is for the sandbox ${expected}, but this cluster is not that sandbox.`
      : 'This cluster is a sandbox, but the configuration is not for one.',
  );
}
