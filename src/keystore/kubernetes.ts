import type { CertificateFacts } from '../domain/certificate.js';
import { RotationError, type FailureType } from '../domain/failures.js';
import { ApiError, type KubernetesClient, type KubernetesObject } from '../kubernetes/client.js';
import type { Envelope } from './envelope.js';
import type { Entry, Keystore, StoredEntry } from './keystore.js';

const secretPrefix = 'cert-rotation.';
const [ownerAnnotation, expiryAnnotation] = ['cert-rotation.temporal.io/owner', 'cert-rotation.temporal.io/expires-at'];
const entryLabel = { 'app.kubernetes.io/managed-by': 'cert-rotation', 'cert-rotation.temporal.io/entry': 'true' };

interface SecretObject extends KubernetesObject {
  readonly type: string;
  readonly data: Readonly<Record<string, string>>;
}

/** Keystore `kubernetes`: one Secret per entry, in a namespace of our own; resourceVersion is the compare-and-set token. */
export function createKubernetesKeystore(client: KubernetesClient, namespace: string, envelope: Envelope): Keystore {
  const all = `/api/v1/namespaces/${namespace}/secrets`;
  const one = (name: string) => `${all}/${secretPrefix}${name}`;

  function toSecret(name: string, entry: Entry, version?: string): SecretObject {
    const json = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'cert-rotation.temporal.io/entry',
      metadata: {
        name: `${secretPrefix}${name}`,
        namespace,
        labels: entryLabel,
        annotations: {
          [ownerAnnotation]: entry.owner,
          ...(entry.expiresAt && { [expiryAnnotation]: entry.expiresAt }),
        },
        ...(version && { resourceVersion: version }),
      },
      data: {
        ...(entry.record !== undefined && { record: json(entry.record) }),
        ...(entry.certificate && { certificate: json(entry.certificate) }),
        ...(entry.chain && { chain: json(entry.chain) }),
        ...(entry.key && { key: Buffer.from(envelope.seal(name, entry.key)).toString('base64') }),
      },
    };
  }

  function toEntry(name: string, secret: SecretObject): StoredEntry {
    const { record, certificate, chain, key } = secret.data ?? {};
    const parse = (text: string): unknown => parseJson(name, Buffer.from(text, 'base64').toString('utf8'));
    const annotations = secret.metadata?.annotations ?? {};
    return {
      name,
      version: secret.metadata?.resourceVersion ?? '',
      owner: annotations[ownerAnnotation] ?? '',
      ...(annotations[expiryAnnotation] && { expiresAt: annotations[expiryAnnotation] }),
      ...(record && { record: parse(record) }),
      ...(certificate && { certificate: parse(certificate) as CertificateFacts }),
      ...(chain && { chain: parse(chain) as readonly CertificateFacts[] }),
      ...(key && { key: envelope.open(name, Buffer.from(key, 'base64').toString('utf8')) }),
    };
  }

  return {
    get: (name) =>
      translating(async () => {
        const secret = await client.get<SecretObject>(one(name));
        return secret && toEntry(name, secret);
      }),
    create: (name, entry) => translating(async () => toEntry(name, await client.create(all, toSecret(name, entry)))),
    update: (name, entry, version) =>
      translating(
        async () => toEntry(name, await client.replace(one(name), toSecret(name, entry, version))),
        'KeystoreConflict',
      ),
    delete: (name) => translating(() => client.delete(one(name))),
    list: (prefix) =>
      translating(async () => {
        const selector = Object.entries(entryLabel).map(([key, value]) => `${key}=${value}`);
        const secrets = await client.list<SecretObject>(
          `${all}?labelSelector=${encodeURIComponent(selector.join(','))}`,
        );
        return secrets
          .map((secret) => ({
            name: secret.metadata!.name!.slice(secretPrefix.length),
            owner: secret.metadata?.annotations?.[ownerAnnotation] ?? '',
            ...(secret.metadata?.annotations?.[expiryAnnotation] && {
              expiresAt: secret.metadata.annotations[expiryAnnotation],
            }),
          }))
          .filter((entry) => entry.name.startsWith(prefix));
      }),
  };
}

/** Without a cause: what is said of a text that is no JSON may quote it. */
function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RotationError('KeystoreUnreadable', `Entry ${name} holds something that is no JSON.`);
  }
}

const keystoreFailures: Readonly<Partial<Record<FailureType, FailureType>>> = {
  KubernetesForbidden: 'KeystoreForbidden',
  KubernetesConflict: 'KeystoreConflict',
  KubernetesUnavailable: 'KeystoreUnavailable',
};

/** Into the keystore's failures. `missing`: what a 404 means for this call. */
async function translating<T>(work: () => Promise<T>, missing: FailureType = 'KeystoreForbidden'): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const type = error instanceof RotationError ? keystoreFailures[error.type] : undefined;
    if (type) throw new RotationError(type, (error as Error).message, { cause: error });
    if (error instanceof ApiError && error.status === 404) throw new RotationError(missing, `${error.message}.`);
    throw error;
  }
}
