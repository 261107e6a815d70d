import { condition } from '@temporalio/workflow';
import type { WindowAnswer, WindowRequest } from '../activities/windows.js';
import type { Subscription } from '../domain/notification.js';
import { windowsGaveWay } from '../domain/rotation-messages.js';
import { readOn } from './options.js';
import type { Rotation } from './rotation.js';
import type { StatusBoard } from './status.js';
import { tell } from './tell.js';

export interface WindowedRotation {
  readonly board: StatusBoard;
  readonly notifiers: readonly Subscription[] | undefined;
  /** What `cert-rotation status` takes. */
  readonly name: string;
  /** Then nobody waits. */
  readonly isUrgent: () => boolean;
}

/** The maintenance windows of one rotation. Before an expiry they give way: people are told as soon as that is known, once. */
export class Windows {
  readonly #rotation: WindowedRotation;
  #isTold = false;

  constructor(rotation: WindowedRotation) {
    this.#rotation = rotation;
  }

  /** Waits until a step may begin. No worker may have been there while a window was open: then it waits for the next. */
  async opened(request: WindowRequest): Promise<void> {
    const { board, isUrgent } = this.#rotation;
    for (;;) {
      const { line, waitMs } = await this.#ask(request);
      if (waitMs === 0) return;
      board.wait(line);
      await condition(isUrgent, waitMs, { summary: line });
    }
  }

  /** May a step begin now? */
  async areOpen(request: WindowRequest): Promise<boolean> {
    return (await this.#ask(request)).waitMs === 0;
  }

  async #ask(request: WindowRequest): Promise<Pick<WindowAnswer, 'line' | 'waitMs'>> {
    if (this.#rotation.isUrgent()) return { line: '', waitMs: 0 };
    const { waitMs, by, line } = await readOn.nextWindow.executeWithOptions(
      { summary: `See when ${request.step} may begin` },
      [request],
    );
    if (by === 'expiry') this.#giveWay(line);
    return { line, waitMs };
  }

  #giveWay(line: string): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const { board, notifiers, name } = this.#rotation;
    board.problem(line);
    void tell(notifiers, board, windowsGaveWay({ subject: board.subject, name, line }));
  }
}

/**
 * Waits until the old CA may leave the next namespace: it must outlive what is still to be done to all of them.
 * @param left namespaces that it is still to leave
 */
export async function removalWindow({ plan, old, windows }: Rotation, left: number): Promise<void> {
  if (!plan.windowed || !old) return;
  const neededMs = left * (plan.watchMs + plan.blindMs + plan.proofDeadlineMs);
  const latest = new Date(Date.parse(old.notAfter) - neededMs).toISOString();
  await windows.opened({ step: 'removals', latest });
}
