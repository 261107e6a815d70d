import { RotationError } from '../domain/failures.js';
import { trustChanger, type NamespaceEditor } from './change.js';
import type { CloudChannel } from './channel.js';
import type { ChangeOptions } from './cloud.js';
import { withLostFields } from './lost-fields.js';
import { opsApiEditor, type SpecRead } from './ops-api.js';

/**
 * Looks after the fields of a spec, through the Cloud Operations API, while a program writes it that does not know all of
 * them (safety 38).
 */
export interface FieldKeeper {
  /** The namespace with its spec. */
  read(namespace: string): Promise<SpecRead>;
  /** Puts back what `before` had and the namespace lacks now. What was lost, as a sentence; undefined when nothing was. */
  restore(namespace: string, before: Uint8Array, options: ChangeOptions): Promise<string | undefined>;
}

export function createFieldKeeper(channel: CloudChannel): FieldKeeper {
  const ops = opsApiEditor(channel);
  return {
    read: (namespace) => ops.read(namespace).catch(explained),
    async restore(namespace, before, options) {
      let lost: readonly string[] = [];
      const restorer: NamespaceEditor<SpecRead> = {
        operation: (id) => ops.operation(id),
        // Only what is lost is looked at here; whoever calls compares the whole spec.
        read: async (name) => ({ ...(await ops.read(name)), rest: '' }),
        isDone: ({ spec }) => withLostFields(before, spec).restored.length === 0,
        async write(found, { bundle, filters }, id) {
          const { spec, restored } = withLostFields(before, found.spec);
          lost = restored;
          await ops.write({ ...found, spec }, { bundle, filters }, id);
        },
      };
      const generation = `${options.generation}/fields`;
      try {
        await trustChanger(restorer)(namespace, (current) => current, { ...options, generation });
      } catch (error) {
        if (!(error instanceof RotationError) || lost.length === 0) throw error;
        throw new RotationError(
          error.type,
          `The spec of ${namespace} lost ${fields(lost)}, and putting them back failed: ${error.message}`,
        );
      }
      return lost.length === 0 ? undefined : `The spec of ${namespace} lost ${fields(lost)}; they were put back.`;
    },
  };
}

const fields = (numbers: readonly string[]): string => `the fields ${numbers.join(', ')} of NamespaceSpec`;

function explained(error: unknown): never {
  if (!(error instanceof RotationError)) throw error;
  throw new RotationError(
    error.type,
    `${error.message} Without this reading nobody sees what tcld loses of the spec; allowFieldLoss: true does without it.`,
  );
}
