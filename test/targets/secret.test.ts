import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { RotationError } from '../../src/domain/failures.js';
import type { KubernetesClient, KubernetesObject } from '../../src/kubernetes/client.js';
import type { Secret } from '../../src/targets/kubernetes/objects.js';
import type { Delivery } from '../../src/targets/target.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { aCaUnder } from '../support/chains.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { placeTarget, putSecret, secretObject, type Placed } from '../support/target.js';

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

describe('the Secret of a target', () => {
  let cluster: Cluster;
  let ca: KeyPair;
  let placed: Placed;
  let [old, leaf]: KeyPair[] = [];
  before(async () => {
    [cluster, ca] = await Promise.all([startCluster(), aCa()]);
    [old, leaf] = await Promise.all([aLeaf(ca), aLeaf(ca)]);
  });
  after(() => cluster?.stop());
  beforeEach(async () => {
    placed = await placeTarget(cluster, {});
  });

  const secret = async () => (await cluster.admin.get<Secret>(placed.secretPath))!;
  const textOf = ({ data }: Secret, key: string) => Buffer.from(data?.[key] ?? '', 'base64').toString();
  const holds = async (pair: KeyPair) => {
    assert.equal(textOf(await secret(), 'tls.crt'), pair.certificate.pem);
    assert.equal(textOf(await secret(), 'tls.key'), pair.key.reveal());
  };
  const ownerOf = ({ metadata }: Secret, field: string) =>
    metadata?.managedFields
      ?.filter(({ fieldsV1 }) => field in (fieldsV1?.['f:data'] ?? {}))
      .map(({ manager }) => manager);

  it('safety 17: a missing Secret is created, of type kubernetes.io/tls', async () => {
    await placed.target().deliver(leaf!);
    await holds(leaf!);
    assert.equal((await secret()).type, 'kubernetes.io/tls');
  });

  it('safety 3: tls.crt is the leaf, then the intermediates, never the root; read back it is the same pair', async () => {
    const intermediate = await aCaUnder(await aCaUnder(undefined));
    const under = await aLeaf(intermediate);
    await placed.target().deliver(under);
    const texts = [under.certificate.pem, intermediate.certificate.pem];
    assert.equal(textOf(await secret(), 'tls.crt'), texts.join(''));
    assert.deepEqual((await placed.target().read())?.chain, [intermediate.certificate]);
    await placed.target().deliver(leaf!);
    assert.equal((await placed.target().read())?.chain, undefined);
  });

  describe('that somebody else wrote', () => {
    it('safety 17: of a Secret that somebody else wrote only tls.crt and tls.key change hands; all else stays theirs', async () => {
      const theirs = {
        ...secretObject(placed.namespace, old!),
        metadata: { name: 'worker-tls', labels: { team: 'booking' } },
      };
      const data = { ...theirs.data, 'ca.crt': Buffer.from('roots').toString('base64') };
      await cluster.admin.apply<KubernetesObject>(
        placed.secretPath,
        { ...theirs, data } as KubernetesObject,
        'kubectl',
      );
      await placed.target().deliver(leaf!);
      await holds(leaf!);
      const after = await secret();
      assert.deepEqual([textOf(after, 'ca.crt'), after.metadata?.labels], ['roots', { team: 'booking' }]);
      assert.deepEqual(ownerOf(after, 'f:tls.crt'), ['cert-rotation/secret']);
      assert.deepEqual(ownerOf(after, 'f:tls.key'), ['cert-rotation/secret']);
      assert.deepEqual(ownerOf(after, 'f:ca.crt'), ['kubectl']);
    });

    it('safety 7: the key that `kubectl apply` left in an annotation is gone', async () => {
      const annotated = { [lastApplied]: JSON.stringify(secretObject(placed.namespace, old!)) };
      const metadata = { name: 'worker-tls', annotations: { ...annotated, note: 'kept' } };
      await putSecret(cluster.admin, placed, old!, { metadata });
      await placed.target().deliver(leaf!);
      const { annotations } = (await secret()).metadata!;
      assert.deepEqual([annotations?.[lastApplied], annotations?.['note']], [undefined, 'kept']);
    });

    it('safety 7: so is one that came back, where the pair is in place already', async () => {
      await placed.target().deliver(leaf!);
      const path = `/metadata/annotations/${lastApplied.replace('/', '~1')}`;
      await cluster.admin.patch(placed.secretPath, [{ op: 'add', path, value: '{}' }]);
      await placed.target().deliver(leaf!);
      assert.equal((await secret()).metadata?.annotations?.[lastApplied], undefined);
    });
  });

  describe('that changes between our read and our write', () => {
    /** The product's client, with something that happens right before it applies. */
    const meanwhile = (happens: () => Promise<unknown>): KubernetesClient => ({
      ...cluster.client,
      apply: async (path, object, manager) => {
        await happens();
        return cluster.client.apply(path, object, manager);
      },
    });

    it('safety 17: a Secret that changed meanwhile is not overwritten: KubernetesConflict, and a retry decides again', async () => {
      await putSecret(cluster.admin, placed, old!);
      const theirs = await aLeaf(ca);
      const client = meanwhile(() => cluster.admin.replace(placed.secretPath, secretObject(placed.namespace, theirs)));
      await assert.rejects(placed.target({ client }).deliver(leaf!), { type: 'KubernetesConflict', retryable: true });
      await holds(theirs);
      await placed.target().deliver(leaf!);
      await holds(leaf!);
    });

    it('safety 17: a namesake made anew is not the one that was read: KubernetesConflict', async () => {
      await putSecret(cluster.admin, placed, old!);
      const theirs = await aLeaf(ca);
      const client = meanwhile(async () => {
        await cluster.admin.delete(placed.secretPath);
        await putSecret(cluster.admin, placed, theirs);
      });
      await assert.rejects(placed.target({ client }).deliver(leaf!), { type: 'KubernetesConflict' });
      await holds(theirs);
    });

    it('safety 17: a key of another pair in it afterwards is noticed, though the API server takes it: SecretMismatch', async () => {
      const other = await aLeaf(ca);
      const client: KubernetesClient = {
        ...cluster.client,
        apply: async (path, object, manager) => {
          const written = await cluster.client.apply(path, object, manager);
          const value = Buffer.from(other.key.reveal()).toString('base64');
          await cluster.admin.patch(placed.secretPath, [{ op: 'replace', path: '/data/tls.key', value }]);
          return written;
        },
      };
      await assert.rejects(placed.target({ client }).deliver(leaf!), { type: 'SecretMismatch' });
    });
  });

  it('safety 17: a pair that does not match is not written at all: SecretMismatch', async () => {
    await putSecret(cluster.admin, placed, old!);
    const mixed = { certificate: leaf!.certificate, key: old!.key };
    await assert.rejects(placed.target().deliver(mixed), { type: 'SecretMismatch' });
    await holds(old!);
  });

  it('safety 17: a certificate in place with the key of another is no delivery, and is written again', async () => {
    await placed.target().deliver(leaf!);
    const value = Buffer.from(old!.key.reveal()).toString('base64');
    await cluster.admin.patch(placed.secretPath, [{ op: 'replace', path: '/data/tls.key', value }]);
    assert.equal(await placed.target().delivered(), undefined);
    await placed.target().deliver(leaf!);
    await holds(leaf!);
  });

  describe('safety 17: one that can never hold our pair is refused with the fix, and stays as it is: SecretUnusable', () => {
    const unusable = {
      type: 'SecretUnusable',
      retryable: false,
      fix: /type kubernetes\.io\/tls and not immutable; recreate/,
    };
    const refused: Readonly<Record<string, object>> = {
      immutable: { immutable: true },
      'of another type': { type: 'Opaque' },
    };
    for (const [name, more] of Object.entries(refused))
      it(name, async () => {
        await putSecret(cluster.admin, placed, old!, more);
        await assert.rejects(placed.target().inspect(), unusable);
        await assert.rejects(placed.target().deliver(leaf!), unusable);
        await holds(old!);
      });

    it('safety 17: so is one that only the API server refuses (422); its answer, which may quote the Secret, is not passed on', async () => {
      await putSecret(cluster.admin, placed, old!, { immutable: true });
      const unaware: KubernetesClient = {
        ...cluster.client,
        get: async <T extends KubernetesObject>(path: string) => {
          const { immutable: _, ...found } = (await cluster.client.get<Secret>(path))!;
          return found as T;
        },
      };
      await assert.rejects(placed.target({ client: unaware }).deliver(leaf!), (error: RotationError) => {
        assert.deepEqual([error.type, error.fix.includes('immutable')], ['SecretUnusable', true]);
        assert.match(error.message, /422 Invalid/);
        assert.ok(!error.message.includes('data'), error.message);
        return true;
      });
      await holds(old!);
    });
  });

  describe('safety 18: one that another controller makes is refused by name, and stays as it is: SecretOwned', () => {
    const owner = { apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret', name: 'booking', uid: 'b3e6a52' };
    const owned: Readonly<Record<string, [metadata: object, named: string]>> = {
      'an owner reference': [{ ownerReferences: [owner] }, 'ExternalSecret booking'],
      'External Secrets': [{ labels: { 'reconcile.external-secrets.io/managed': 'true' } }, 'External Secrets'],
      'Sealed Secrets': [{ annotations: { 'sealedsecrets.bitnami.com/managed': 'true' } }, 'Sealed Secrets'],
      'cert-manager': [{ annotations: { 'cert-manager.io/certificate-name': 'booking' } }, 'cert-manager'],
      'Argo CD': [{ annotations: { 'argocd.argoproj.io/tracking-id': 'shop:/Secret:a/b' } }, 'Argo CD'],
      'Flux, by a kustomization': [{ labels: { 'kustomize.toolkit.fluxcd.io/name': 'shop' } }, 'Flux'],
      'Flux, by a release': [{ labels: { 'helm.toolkit.fluxcd.io/name': 'shop' } }, 'Flux'],
      Helm: [{ annotations: { 'meta.helm.sh/release-name': 'shop' } }, 'Helm'],
    };
    async function refused(named: string): Promise<void> {
      const failure = {
        type: 'SecretOwned',
        retryable: false,
        message: new RegExp(`made by .*${named}`),
        fix: /takeOwnership: true/,
      };
      await assert.rejects(placed.target().inspect(), failure);
      await assert.rejects(placed.target().deliver(leaf!), failure);
      await holds(old!);
    }
    for (const [how, [metadata, named]] of Object.entries(owned))
      it(how, async () => {
        await putSecret(cluster.admin, placed, old!, { metadata: { name: 'worker-tls', ...metadata } });
        await refused(named);
      });

    it('safety 18: whoever applies the pair without leaving a mark is known by its field manager', async () => {
      const theirs = secretObject(placed.namespace, old!);
      await cluster.admin.apply<KubernetesObject>(placed.secretPath, theirs, 'vault-operator');
      await refused('the field manager vault-operator');
    });

    it('safety 18: what people do with kubectl is no ownership, nor is a field of the Secret that is not the pair', async () => {
      const theirs = secretObject(placed.namespace, old!);
      await cluster.admin.apply<KubernetesObject>(placed.secretPath, theirs, 'kubectl-client-side-apply');
      const { data: _, ...rest } = theirs;
      const roots = { ...rest, data: { 'ca.crt': Buffer.from('roots').toString('base64') } };
      await cluster.admin.apply<KubernetesObject>(placed.secretPath, roots, 'trust-manager');
      await placed.target().deliver(leaf!);
      await holds(leaf!);
    });

    it('safety 18: with takeOwnership it is written, and inspect says whose it is', async () => {
      placed = await placeTarget(cluster, { pair: old!, replicas: 0 });
      const labels = { 'kustomize.toolkit.fluxcd.io/name': 'shop' };
      await cluster.admin.patch(placed.secretPath, [{ op: 'add', path: '/metadata/labels', value: labels }]);
      const target = placed.target({ config: { takeOwnership: true } });
      assert.match((await target.inspect()).warnings.join(), /worker-tls is made by Flux .*takeOwnership/);
      await target.deliver(leaf!);
      await holds(leaf!);
    });
  });

  describe('safety 19: the time of a delivery is that of the write, by the API server', () => {
    /** Its second is over, so that a later one would show. */
    const passed = ({ at }: Delivery) =>
      eventually(async () => (await cluster.admin.time()).getTime() > Date.parse(at));

    it('safety 19: a delivery asked for again after a crash, later, has the time of the first write', async () => {
      const first = await placed.target().deliver(leaf!);
      const { metadata } = await secret();
      await passed(first);
      assert.deepEqual(await placed.target().deliver(leaf!), first);
      assert.equal(first.at, metadata?.managedFields?.find(({ manager }) => manager === 'cert-rotation/secret')?.time);
      assert.equal((await secret()).metadata?.resourceVersion, metadata?.resourceVersion);
    });

    it('safety 19: the time of a delivery does not move when somebody edits something else, or applies the same pair', async () => {
      const delivery = await placed.target().deliver(leaf!);
      await passed(delivery);
      await cluster.admin.patch(placed.secretPath, [{ op: 'add', path: '/metadata/labels', value: { a: 'b' } }]);
      await cluster.admin.apply<KubernetesObject>(placed.secretPath, secretObject(placed.namespace, leaf!), 'kubectl');
      assert.deepEqual(await placed.target().delivered(), delivery);
    });

    it('safety 18, 19: a delivery ends when somebody puts another pair there, and begins anew with ours', async () => {
      const delivery = await placed.target().deliver(leaf!);
      await passed(delivery);
      await cluster.admin.replace(placed.secretPath, secretObject(placed.namespace, old!));
      assert.equal(await placed.target().delivered(), undefined);
      const again = await placed.target().deliver(leaf!);
      assert.equal(again.leaf, delivery.leaf);
      assert.ok(again.at > delivery.at, `${again.at} is not after ${delivery.at}`);
    });

    it('safety 19: a pair that somebody else put there is no delivery, until we take it over', async () => {
      await cluster.admin.apply<KubernetesObject>(placed.secretPath, secretObject(placed.namespace, leaf!), 'kubectl');
      assert.equal(await placed.target().delivered(), undefined);
      const delivery = await placed.target().deliver(leaf!);
      assert.deepEqual(await placed.target().delivered(), delivery);
    });
  });
});
