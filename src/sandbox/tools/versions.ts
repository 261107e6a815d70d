/** The binaries that the sandbox is made of, those that are only rehearsed on it, and the versions it was tested with. */
export const versions = {
  temporal: '1.9.1',
  etcd: '3.5.1',
  'kube-apiserver': '1.34.4',
  'kube-controller-manager': '1.34.4',
  gateway: 'source',
  kubectl: '1.34.4',
  tcld: '0.55.0',
  certstrap: '1.3.0',
} as const;

export type ToolName = keyof typeof versions;
