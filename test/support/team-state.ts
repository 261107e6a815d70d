import assert from 'node:assert/strict';
import { readTrust } from '../../src/cloud/namespace-spec.js';
import type { AuthorityRecord } from '../../src/domain/authority.js';
import type { CertificateFacts, Fingerprint } from '../../src/domain/certificate.js';
import { entries } from '../../src/domain/ids.js';
import type { CaRotationResult, LeafRotationResult } from '../../src/domain/rotation.js';
import type { Keystore } from '../../src/keystore/keystore.js';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import type { Sandbox } from '../../src/sandbox/index.js';
import type { SecretObject } from '../../src/sandbox/traffic.js';
import { readCertificates, signedBy } from '../../src/x509/read.js';
import type { PollsSeen } from './polls-seen.js';
import { deploymentPath, secretPath, type Team } from './team.js';

/** What a rotation may change of a team, as others than the rotation worker see it. */
export interface TeamState {
  /** What the namespace trusts. */
  readonly bundle: readonly Fingerprint[];
  /** In the Secret. */
  readonly leaf: CertificateFacts;
  /** Of each pod that is to stay: the leaf that it polled with when the gateway last saw it. */
  readonly podLeaves: readonly (Fingerprint | undefined)[];
  /** Changes of the Deployment. */
  readonly generation: number;
  readonly authority: AuthorityRecord;
  /** What the keystore holds, but for the wrapped keys: kinds of entries, and the CAs among them. */
  readonly kept: readonly string[];
  readonly cas: readonly CertificateFacts[];
}

export async function teamState(
  { store, kubernetes }: Sandbox,
  team: Team,
  { keystore, polls }: { readonly keystore: Keystore; readonly polls: PollsSeen },
): Promise<TeamState> {
  const secret = (await kubernetes.admin.get<SecretObject>(secretPath(team)))!;
  const [leaf] = readCertificates(Buffer.from(secret.data!['tls.crt']!, 'base64').toString('utf8'));
  const deployment = (await kubernetes.admin.get<KubernetesObject>(deploymentPath(team)))!;
  const names = (await keystore.list('')).map(({ name }) => name);
  const cas = await Promise.all(names.filter((name) => name.startsWith('ca.')).map((name) => keystore.get(name)));
  return {
    bundle: readCertificates(readTrust(store.get(team.namespace).spec).bundlePem).map(({ fingerprint }) => fingerprint),
    leaf: leaf!,
    podLeaves: await podLeaves(kubernetes, team, await polls.leaves()),
    generation: deployment.metadata!.generation!,
    authority: (await keystore.get(entries.authority(team.authority)))!.record as AuthorityRecord,
    kept: names.map((name) => name.split('.')[0]!).toSorted((a, b) => a.localeCompare(b)),
    cas: cas.map((entry) => entry!.certificate!),
  };
}

async function podLeaves(
  { admin }: Sandbox['kubernetes'],
  { authority }: Team,
  polledWith: ReadonlyMap<string, Fingerprint | undefined>,
): Promise<readonly (Fingerprint | undefined)[]> {
  const pods = await admin.list<KubernetesObject>(`/api/v1/namespaces/${authority}/pods`);
  const staying = pods.filter(({ metadata }) => !metadata!.deletionTimestamp).map(({ metadata }) => metadata!.name!);
  const identities = [...polledWith.keys()];
  return staying.map((pod) => polledWith.get(identities.findLast((identity) => identity.endsWith(`@${pod}`)) ?? ''));
}

/** After a CA rotation that ended well, the same whatever happened on the way. */
export function assertCaRotated(before: TeamState, after: TeamState, result: CaRotationResult): void {
  assert.equal(result.outcome, 'rotated', result.reason);
  const { newFingerprint } = result;
  const generation = before.authority.generation + 1;
  assert.deepEqual(after.authority, { generation, current: newFingerprint, signing: newFingerprint });
  assert.notEqual(newFingerprint, before.authority.current);
  assert.deepEqual(after.kept, ['authority', 'ca', 'rotation', 'trust']);
  assertOnOneLeaf(before, after);
}

/** After a leaf rotation that ended well: of the authority nothing has changed. */
export function assertLeafRotated(before: TeamState, after: TeamState, result: LeafRotationResult): void {
  assert.equal(result.outcome, 'rotated', result.reason);
  assert.deepEqual(after.authority, before.authority);
  assert.deepEqual(after.kept, ['authority', 'ca']);
  assertOnOneLeaf(before, after);
}

/** The authority's CA alone is trusted and kept, and every pod is on one new leaf of it after one restart. */
function assertOnOneLeaf(before: TeamState, { bundle, leaf, podLeaves, generation, authority, cas }: TeamState): void {
  const { current, signing, next, retiring } = authority;
  assert.deepEqual([signing, next, retiring], [current, undefined, undefined]);
  assert.deepEqual(bundle, [current]);
  assert.deepEqual(
    cas.map(({ fingerprint }) => fingerprint),
    [current],
  );
  assert.notEqual(leaf.fingerprint, before.leaf.fingerprint);
  assert.ok(signedBy(leaf, cas[0]!), 'the leaf is not signed by the CA of the authority');
  assert.deepEqual(podLeaves, [leaf.fingerprint]);
  assert.equal(generation - before.generation, 1, 'restarts of the workload');
}
