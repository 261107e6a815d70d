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
]);

/** Helm puts its objects back, too, but only when a person upgrades the release. */
const release = 'meta.helm.sh/release-name';

/** Who else puts the object back to what its own source says, some day, by name; undefined where nobody shows. */
export function ownerOf(object: KubernetesObject): string | undefined {
  const name = object.metadata?.annotations?.[release];
  return keeperOf(object) ?? (name && `Helm (release ${name})`);
}

/** The same, of those who do it by themselves within minutes. */
export function keeperOf({ metadata }: KubernetesObject): string | undefined {
  const [owner] = metadata?.ownerReferences ?? [];
  if (owner) return `${owner.kind} ${owner.name}`;
  const found = Object.entries({ ...metadata?.labels, ...metadata?.annotations }).find(
    ([key, value]) => marks.has(key) && value !== 'false',
  );
  return found && `${marks.get(found[0])} (${found[0]}: ${found[1].slice(0, 80)})`;
}
