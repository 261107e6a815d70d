import { condition } from '@temporalio/workflow';
import type { WindowRequest } from '../activities/windows.js';
import { read } from './options.js';
import type { StatusBoard } from './status.js';

/**
 * Waits until a step may begin. Before an expiry the windows give way: that is among the problems, which people are told. In an
 * emergency nobody waits.
 */
export async function waitForWindow(
  board: StatusBoard,
  request: WindowRequest,
  isUrgent: () => boolean,
): Promise<void> {
  if (isUrgent()) return;
  const { at, by, line } = await read.nextWindow.executeWithOptions({ summary: `See when ${request.step} may begin` }, [
    request,
  ]);
  if (by === 'expiry') board.problem(line);
  const ms = Date.parse(at) - Date.now();
  if (by === 'open' || ms <= 0) return;
  board.wait(line);
  await condition(isUrgent, ms, { summary: line });
}
