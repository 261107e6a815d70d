/**
 * Does the poller's identity name this pod? As a whole word, because `worker-1` is not `worker-10`: SDKs say
 * `<pid>@<host name>`, and the host name of a pod is its name, sometimes with a domain after it.
 */
export function isOfPod(identity: string, pod: string): boolean {
  const name = pod.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return pod !== '' && new RegExp(`(?<![a-z0-9.-])${name}(?![a-z0-9-])`).test(identity);
}
