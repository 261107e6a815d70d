import { open } from 'node:fs/promises';
import type { Fingerprint } from '../../src/domain/certificate.js';
import type { GatewayEvent } from '../../src/sandbox/gateway/record.js';

/** Follows the gateway's record, which grows by megabytes: each time only what is new is read. */
export class PollsSeen {
  readonly #file: string;
  readonly #leaves = new Map<string, Fingerprint | undefined>();
  #read = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** The leaf that each identity began its last poll with; whoever polled last comes last. */
  async leaves(): Promise<ReadonlyMap<string, Fingerprint | undefined>> {
    const added = await this.#added();
    const complete = added.subarray(0, added.lastIndexOf('\n') + 1);
    this.#read += complete.length;
    for (const line of complete.toString('utf8').split('\n')) {
      if (!line.includes('"Poll')) continue;
      const { kind, method, identity, leaf } = JSON.parse(line) as GatewayEvent;
      if (kind !== 'rpc-start' || !method?.startsWith('Poll') || !identity) continue;
      this.#leaves.delete(identity);
      this.#leaves.set(identity, leaf);
    }
    return this.#leaves;
  }

  async #added(): Promise<Buffer> {
    const file = await open(this.#file);
    try {
      const { size } = await file.stat();
      const added = Buffer.alloc(size - this.#read);
      const { bytesRead } = await file.read(added, 0, added.length, this.#read);
      return added.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }
}
