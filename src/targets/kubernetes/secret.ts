import { RotationError } from '../../domain/failures.js';
import { ApiError, type KubernetesClient } from '../../kubernetes/client.js';
import { presented } from '../../x509/chain.js';
import type { KeyPair } from '../../x509/pair.js';
import { PrivateKey } from '../../x509/private-key.js';
import { keyMatches, readCertificates } from '../../x509/read.js';
import type { Delivery } from '../target.js';
import type { Secret } from './objects.js';
import { ownerOf } from './owners.js';
import { leafAnnotation } from './stamp.js';

/** One field manager per purpose: two applies by one manager with different fields would drop the earlier ones (safety 17). */
export const secretManager = 'cert-rotation/secret';
const tlsType = 'kubernetes.io/tls';
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

export interface SecretPlace {
  readonly namespace: string;
  readonly secret: string;
  /** Written although another controller makes it. */
  readonly takeOwnership: boolean;
}

const pathOf = ({ namespace, secret }: SecretPlace): string => `/api/v1/namespaces/${namespace}/secrets/${secret}`;

/** The Secret as it is, refused with the fix when it can never hold our pair (422 later otherwise). */
export async function readUsableSecret(client: KubernetesClient, place: SecretPlace): Promise<Secret | undefined> {
  const secret = await client.get<Secret>(pathOf(place));
  const name = `Secret ${place.namespace}/${place.secret}`;
  if (secret && secret.type !== tlsType) {
    throw new RotationError('SecretUnusable', `${name} is of type ${secret.type}; a type cannot be changed.`);
  }
  if (secret?.immutable) throw new RotationError('SecretUnusable', `${name} is immutable.`);
  return secret;
}

/** Managers who wrote the pair before us without wanting to keep it: people with kubectl, and this system's own hands. */
const passing = /^(kubectl|cert-rotation)($|[-/])/;

/**
 * Who else makes this Secret, and would put back what it held: the owner of the object, or a foreign field manager of the
 * pair (safety 18).
 */
export function makerOf(secret: Secret | undefined): string | undefined {
  const managers = secret?.metadata?.managedFields ?? [];
  const foreign = managers.find(
    ({ manager = '', fieldsV1 }) =>
      !passing.test(manager) && tlsFields.some((key) => key in (fieldsV1?.['f:data'] ?? {})),
  );
  return (secret && ownerOf(secret)) ?? (foreign && `the field manager ${foreign.manager}`);
}

const tlsFields = ['f:tls.crt', 'f:tls.key'];

/** Throws SecretOwned, which names who makes the Secret, unless a person said `takeOwnership`. */
export function refuseOwned(secret: Secret | undefined, { namespace, secret: name, takeOwnership }: SecretPlace): void {
  const maker = takeOwnership ? undefined : makerOf(secret);
  if (!maker) return;
  throw new RotationError(
    'SecretOwned',
    `Secret ${namespace}/${name} is made by ${maker}, which would put back what it held; it was not written.`,
  );
}

/** The pair in the Secret; undefined when there is none that can be read. */
export function pairOf(secret: Secret | undefined): KeyPair | undefined {
  const text = (key: string) => Buffer.from(secret?.data?.[key] ?? '', 'base64').toString('utf8');
  try {
    const [certificate, ...chain] = readCertificates(text('tls.crt'));
    return certificate && { certificate, key: new PrivateKey(text('tls.key')), ...(chain.length > 0 && { chain }) };
  } catch {
    return undefined;
  }
}

/** The leaf in the Secret and when we wrote it; undefined when there is none, or the last word on it was somebody else's. */
export function deliveryOf(secret: Secret | undefined): Delivery | undefined {
  const pair = pairOf(secret);
  const at = writtenAt(secret);
  return pair && at && keyMatches(pair.certificate, pair.key) ? { leaf: pair.certificate.fingerprint, at } : undefined;
}

/** By the API server's clock. Whoever changes `tls.crt` takes it over: while it is ours, nobody did since. */
function writtenAt(secret: Secret | undefined): string | undefined {
  const ours = secret?.metadata?.managedFields?.find(({ manager }) => manager === secretManager);
  return 'f:tls.crt' in (ours?.fieldsV1?.['f:data'] ?? {}) ? ours?.time : undefined;
}

/**
 * Writes `tls.crt` and `tls.key` by server-side apply, conditional on the version just read, then reads the Secret again:
 * the API server accepts a pair that does not match. A pair of ours that is in place is left alone, so that the delivery
 * stays the same however often it is asked for. Nothing of a Secret that somebody else makes is written.
 */
export async function writePair(client: KubernetesClient, place: SecretPlace, pair: KeyPair): Promise<Delivery> {
  const name = `${place.namespace}/${place.secret}`;
  const { fingerprint } = pair.certificate;
  if (!keyMatches(pair.certificate, pair.key))
    throw new RotationError('SecretMismatch', `The pair for Secret ${name} does not match; it was not written.`);
  const before = await readUsableSecret(client, place);
  refuseOwned(before, place);
  const isThere = deliveryOf(before)?.leaf === fingerprint;
  if (!isThere) await apply(client, place, pair, before);
  const after = isThere ? before : await client.get<Secret>(pathOf(place));
  const delivery = deliveryOf(after);
  if (delivery?.leaf !== fingerprint)
    throw new RotationError('SecretMismatch', `Secret ${name} does not hold the pair that was written.`);
  await forgetLastApplied(client, place, after);
  return delivery;
}

/** The annotation makes it a change even where the same pair lay before: who changes nothing gets no time. */
async function apply(
  client: KubernetesClient,
  place: SecretPlace,
  pair: KeyPair,
  before: Secret | undefined,
): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const { resourceVersion, uid } = before?.metadata ?? {};
  const wanted: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: place.secret,
      namespace: place.namespace,
      annotations: { [leafAnnotation]: pair.certificate.fingerprint },
      ...(resourceVersion && { resourceVersion }),
      ...(uid && { uid }),
    },
    type: tlsType,
    data: { 'tls.crt': base64(presented(pair)), 'tls.key': base64(pair.key.reveal()) },
  };
  try {
    await client.apply(pathOf(place), wanted, secretManager);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const message = `The API server refuses Secret ${place.namespace}/${place.secret}: ${error.message}.`;
    throw new RotationError('SecretUnusable', message, { cause: error });
  }
}

/** `kubectl apply` leaves a copy of the whole Secret, old private key included, in an annotation. */
async function forgetLastApplied(
  client: KubernetesClient,
  place: SecretPlace,
  secret: Secret | undefined,
): Promise<void> {
  if (secret?.metadata?.annotations?.[lastApplied] === undefined) return;
  const path = `/metadata/annotations/${lastApplied.replace('/', '~1')}`;
  await client.patch<Secret>(pathOf(place), [{ op: 'remove', path }], secretManager);
}
