import type { KubernetesObject } from '../../kubernetes/client.js';

/** Labels and annotations by which a controller knows what it keeps as its source says, as each one documents them. */
const marks: ReadonlyMap<string, string> = new Map([
  ['reconcile.external-secrets.io/managed', 'External Secrets'],
  ['reconcile.external-secrets.io/created-by', 'External Secrets'],
  ['reconcile.external-secrets.io/data-hash', 'External Secrets'],
  ['sealedsecrets.bitnami.com/managed', 'Sealed Secrets'],
  ['sealedsecrets.bitnami.com/patch', 'Sealed Secrets'],
  ['cert-manager.io/certificate-name', 'cert-manager'],
  ['controller.cert-manager.io/fao', 'cert-manager'],
  ['argocd.argoproj.io/tracking-id', 'Argo CD'],
  ['argocd.argoproj.io/instance', 'Argo CD'],
  ['kustomize.toolkit.fluxcd.io/name', 'Flux'],
  ['helm.toolkit.fluxcd.io/name', 'Flux'],
  ['meta.helm.sh/release-name', 'Helm'],
]);

/** Who else puts the object back to what its own source says, by name; undefined where nobody shows. */
export function ownerOf(object: KubernetesObject): string | undefined {
  const [owner] = object.metadata?.ownerReferences ?? [];
  return owner ? `${owner.kind} ${owner.name}` : markOf(object);
}

/** The same by labels and annotations alone: a workload's replicas may be some tool's, whoever made the object. */
export function markOf({ metadata }: KubernetesObject): string | undefined {
  const found = Object.entries({ ...metadata?.labels, ...metadata?.annotations }).find(
    ([key, value]) => marks.has(key) && value !== 'false',
  );
  return found && `${marks.get(found[0])} (${found[0]}: ${found[1].slice(0, 80)})`;
}
