import type { Container, PodSpec, Volume } from './objects.js';

/** Does a pod of this spec read the Secret: mounted (projected and CSI included), or as environment, init containers too? */
export function usesSecret(spec: PodSpec | undefined, secret: string): boolean {
  const mounted = spec?.volumes?.some((volume) => holdsSecret(volume, secret)) ?? false;
  return mounted || containersOf(spec).some((container) => readsAsEnvironment(container, secret));
}

/** Environment variables and subPath mounts, subPathExpr included, never see a new Secret without a restart. */
export function neverSeesUpdates(spec: PodSpec | undefined, secret: string): boolean {
  const volumes = (spec?.volumes ?? []).filter((volume) => holdsSecret(volume, secret)).map(({ name }) => name);
  return containersOf(spec).some(
    (container) =>
      readsAsEnvironment(container, secret) ||
      container.volumeMounts?.some(
        ({ name, subPath, subPathExpr }) => (subPath ?? subPathExpr) !== undefined && volumes.includes(name),
      ),
  );
}

function holdsSecret({ secret, projected, csi }: Volume, name: string): boolean {
  const projects = projected?.sources?.some((source) => source.secret?.name === name) ?? false;
  return projects || secret?.secretName === name || csi?.nodePublishSecretRef?.name === name;
}

function readsAsEnvironment({ env, envFrom }: Container, secret: string): boolean {
  return (
    (env?.some(({ valueFrom }) => valueFrom?.secretKeyRef?.name === secret) ?? false) ||
    (envFrom?.some(({ secretRef }) => secretRef?.name === secret) ?? false)
  );
}

function containersOf(spec: PodSpec | undefined): readonly Container[] {
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? []), ...(spec?.ephemeralContainers ?? [])];
}
