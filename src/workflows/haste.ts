import { setHandler } from '@temporalio/workflow';
import { parseLeafLeak, type LeafLeak } from '../domain/emergency.js';
import { hurrySignal, leafLeakedSignal } from './messages.js';
import type { StatusBoard } from './status.js';

/** What makes a leaf rotation urgent: it began so, a CA rotation hurries it, or the key of the leaf in use leaked (safety 43). */
export class Haste {
  #isUrgent: boolean;
  #leak: LeafLeak | undefined;

  constructor(board: StatusBoard, { urgent = false }: { readonly urgent?: boolean }) {
    this.#isUrgent = urgent;
    setHandler(hurrySignal, () => void (this.#isUrgent = true));
    setHandler(leafLeakedSignal, (payload: unknown) => {
      const leak = parseLeafLeak(payload);
      if (typeof leak === 'string') return board.problem(`Ignored "leafLeaked": ${leak}`);
      this.#isUrgent = true;
      this.#leak = leak;
      board.problem(`${leak.who} (claimed) says that the key of the leaf in use leaked: ${leak.why}`);
    });
  }

  get isUrgent(): boolean {
    return this.#isUrgent;
  }

  /** The previous pair must not go back then. */
  get leak(): LeafLeak | undefined {
    return this.#leak;
  }
}
