import type { ContainerStatus, Pod } from './objects.js';

/** A container that was started so often, in about three minutes of a kubelet's back-off, does not get up by itself. */
const hopelessRestarts = 5;
const longestMessage = 300;

/** What a person needs of a pod that does not get ready: its state and the last message of the container that fails. */
export function troubleOf(pod: Pod): string {
  return `pod ${pod.metadata?.name}: ${stateOf(pod)}`;
}

export function isCrashLooping(pod: Pod): boolean {
  return containersOf(pod).some(
    ({ restartCount = 0, state }) => restartCount >= hopelessRestarts && state?.waiting?.reason === 'CrashLoopBackOff',
  );
}

function stateOf(pod: Pod): string {
  const failing = containersOf(pod).find(({ state, lastState }) => state?.waiting ?? lastState?.terminated);
  const { waiting } = failing?.state ?? {};
  const last = failing?.lastState?.terminated;
  const condition = pod.status?.conditions?.find(({ status, message }) => status === 'False' && message);
  const state = [waiting?.reason ?? pod.status?.phase ?? 'unknown', waiting?.message ?? condition?.message];
  const ended = last && `last message: ${last.message?.trim() || `exit code ${last.exitCode}`}`;
  return [...state, ended].flatMap((text) => (text ? [shown(text)] : [])).join(', ');
}

function containersOf({ status }: Pod): readonly ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
}

/** What a container says lands in histories: no more of it than is needed, and nothing that may be a key. */
function shown(message: string): string {
  const text = message.replace(/-----BEGIN[^]*/, '[redacted]');
  return text.length > longestMessage ? `${text.slice(0, longestMessage)}…` : text;
}
