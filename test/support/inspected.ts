import assert from 'node:assert/strict';
import type { RotationError } from '../../src/domain/failures.js';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import type { KeyPair } from '../../src/x509/pair.js';
import type { Cluster } from './cluster.js';
import { placeTarget, putSecret, type Placed } from './target.js';

/** Something else in the namespace of a target. @param path of the API, `{}` where the namespace belongs */
export async function createIn({ admin }: Cluster, { namespace }: Placed, path: string, object: object): Promise<void> {
  await admin.create(`/${path.replace('{}', `namespaces/${namespace}`)}`, object as KubernetesObject);
}

/** What the inspection of a target fails with. */
export async function refusalOf(placed: Placed): Promise<RotationError> {
  let error: unknown;
  await assert.rejects(placed.target().inspect(), (thrown: unknown) => ((error = thrown), true));
  return error as RotationError;
}

/** A namespace with the Secret and nothing that uses it. */
export async function placeUnused(cluster: Cluster, leaf: KeyPair): Promise<Placed> {
  const placed = await placeTarget(cluster, {});
  await putSecret(cluster.admin, placed, leaf);
  return placed;
}
