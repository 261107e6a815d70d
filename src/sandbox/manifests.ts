import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { KubernetesClient, KubernetesObject } from '../kubernetes/client.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Applies a manifest of the repository, as `kubectl apply --server-side --namespace` would. */
export async function applyManifest(admin: KubernetesClient, file: string, namespace = 'default'): Promise<void> {
  for (const document of parseAllDocuments(await readFile(root + file, 'utf8'))) {
    const object = document.toJS() as KubernetesObject;
    const resource = resources[object.kind ?? '']!;
    const placed = resource.includes('{}') ? { ...object, metadata: { namespace, ...object.metadata } } : object;
    const { metadata } = placed;
    await admin.apply(`/${resource.replace('{}', metadata?.namespace ?? '')}/${metadata?.name}`, placed, 'sandbox');
  }
}

/** Paths of the kinds that are applied; `{}` is a namespace. */
const resources: Readonly<Record<string, string>> = {
  ServiceAccount: 'api/v1/namespaces/{}/serviceaccounts',
  Role: 'apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles',
  RoleBinding: 'apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings',
  ValidatingAdmissionPolicy: 'apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies',
  ValidatingAdmissionPolicyBinding: 'apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings',
  Deployment: 'apis/apps/v1/namespaces/{}/deployments',
};

export async function readExample(file: string): Promise<string> {
  return readFile(`${root}examples/${file}`, 'utf8');
}
