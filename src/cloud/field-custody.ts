import { RotationError } from '../domain/failures.js';
import type { ChangeOptions } from './cloud.js';
import type { FieldKeeper } from './field-keeper.js';
import { losableFields } from './lost-fields.js';
import { dispensable, type SpecMemory } from './spec-memory.js';

/** Of one change: the fields that its writes may lose, in the memory from before each write until it is proved that none is missing. */
export class FieldCustody {
  /** What a person should know of what was lost. */
  readonly notes: string[] = [];
  readonly #keeper: FieldKeeper;
  readonly #memory: SpecMemory;
  readonly #namespace: string;
  readonly #change: ChangeOptions;

  constructor(keeper: FieldKeeper, memory: SpecMemory, namespace: string, change: ChangeOptions) {
    this.#keeper = keeper;
    this.#memory = change.byKeyAlone
      ? dispensable(memory, (reason) => this.notes.push(`What tcld may lose of ${namespace} is not kept: ${reason}`))
      : memory;
    this.#namespace = namespace;
    this.#change = change;
  }

  /**
   * Puts back what earlier changes lost, and died. Why it is refused, where the cloud takes no change of the namespace as it is
   * (an expired CA in its bundle is enough): the change may mend that, and it is tried again after it. An undo waits for no such thing.
   */
  async restoreOwed(): Promise<string | undefined> {
    try {
      for (const { operationId, fields } of await this.#memory.recall(this.#namespace)) {
        await this.#restore(fields);
        await this.#memory.forget(this.#namespace, operationId);
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof RotationError)) throw error;
      if (error.type !== 'CloudRejectedBundle' && !this.#change.byKeyAlone) throw error;
      return error.message;
    }
  }

  async beforeWrite(spec: Uint8Array, operationId: string): Promise<void> {
    const fields = losableFields(spec);
    if (fields.length === 0) return;
    await this.#memory.keep(this.#namespace, { operationId, fields });
  }

  async afterWrite(spec: Uint8Array, operationId: string): Promise<void> {
    await this.#restore(spec);
    await this.nothingLost(operationId);
  }

  /** What others take away of the spec from now on is not to come back. */
  async nothingLost(operationId: string): Promise<void> {
    await this.#memory.forget(this.#namespace, operationId);
  }

  async #restore(before: Uint8Array): Promise<void> {
    const note = await this.#keeper.restore(this.#namespace, before, this.#change);
    if (note) this.notes.push(note);
  }
}
