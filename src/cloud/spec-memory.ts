import { RotationError } from '../domain/failures.js';
import { entries } from '../domain/ids.js';
import type { Keystore } from '../keystore/keystore.js';

/**
 * What a spec had before a program writes it that drops what it does not know. Kept beside the authorities until it is proved
 * that nothing of it is missing: when this process dies before that, whoever changes the namespace next puts it back
 * (safety 38). Public data. Throws RotationError: Keystore*.
 */
export interface SpecMemory {
  /** What changes left behind that nobody brought to their end. */
  recall(namespace: string): Promise<readonly KeptFields[]>;
  /** Twice is once. */
  keep(namespace: string, kept: KeptFields): Promise<void>;
  forget(namespace: string, operationId: string): Promise<void>;
}

export interface KeptFields {
  /** Of the write that they were kept for: changes that overlap do not forget what another one needs. */
  readonly operationId: string;
  /** A NamespaceSpec with nothing but the fields that may be lost. */
  readonly fields: Uint8Array;
}

interface SpecRecord {
  readonly operationId: string;
  /** Base64. */
  readonly fields: string;
}

export function createSpecMemory(keystore: Keystore): SpecMemory {
  return {
    async recall(namespace) {
      const names = await keystore.list(entries.spec(namespace, ''));
      const found = await Promise.all(names.map(({ name }) => keystore.get(name)));
      return found.flatMap((entry) => {
        if (!entry) return [];
        const { operationId, fields } = entry.record as SpecRecord;
        return [{ operationId, fields: Buffer.from(fields, 'base64') }];
      });
    },
    async keep(namespace, { operationId, fields }) {
      const record: SpecRecord = { operationId, fields: Buffer.from(fields).toString('base64') };
      const owner = `namespace/${namespace}`;
      try {
        await keystore.create(entries.spec(namespace, operationId), { record, owner });
      } catch (error) {
        // The same write again: it was decided on the same version of the spec.
        if (!(error instanceof RotationError) || error.type !== 'KeystoreConflict') throw error;
      }
    },
    forget: (namespace, operationId) => keystore.delete(entries.spec(namespace, operationId)),
  };
}

/** The same for a change that must not wait for it: what fails is told, once, and done without from then on. */
export function dispensable(memory: SpecMemory, tell: (reason: string) => void): SpecMemory {
  let failed = false;
  async function attempt<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
    if (failed) return otherwise;
    try {
      return await work();
    } catch (error) {
      failed = true;
      tell((error as Error).message);
      return otherwise;
    }
  }
  return {
    recall: (namespace) => attempt(() => memory.recall(namespace), []),
    keep: (namespace, kept) => attempt(() => memory.keep(namespace, kept), undefined),
    forget: (namespace, operationId) => attempt(() => memory.forget(namespace, operationId), undefined),
  };
}

/** Where there is no keystore: what a change lost and could not put back itself stays lost. */
export const noSpecMemory: SpecMemory = {
  recall: async () => [],
  keep: async () => undefined,
  forget: async () => undefined,
};
