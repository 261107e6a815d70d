import { readFile } from 'node:fs/promises';

/** One line of the gateway's record: the ground truth of who used which certificate (sandbox/gateway/record.go). */
export interface GatewayEvent {
  /** Milliseconds since the epoch, from a monotonic clock. */
  readonly t: number;
  readonly kind: 'connected' | 'refused' | 'closed' | 'rpc-start' | 'rpc-end' | 'trust-effective';
  readonly conn?: number;
  readonly namespace?: string;
  readonly frontend: number;
  /** SHA-256 of the leaf that the connection presented. */
  readonly leaf?: string;
  readonly subject?: string;
  readonly issuer?: string;
  readonly reason?: string;
  /** Pairs the start of a call with its end. */
  readonly call?: number;
  readonly method?: string;
  /** gRPC status code by name, `OK` included. */
  readonly code?: string;
  readonly taskQueue?: string;
  readonly identity?: string;
  /** Pairs the poll that was given a task with the call that completes it. */
  readonly task?: string;
  /** Of the activity that a poll was given; 1 for the first. */
  readonly attempt?: number;
}

export async function readRecord(file: string): Promise<readonly GatewayEvent[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const complete = text.slice(0, text.lastIndexOf('\n') + 1);
  return complete
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as GatewayEvent);
}
