import { sleep } from '@temporalio/workflow';
import type { WindowRequest } from '../activities/windows.js';
import { read } from './options.js';
import type { StatusBoard } from './status.js';

/** Waits until a step may begin. Before an expiry the windows give way: that is among the problems, which people are told. */
export async function waitForWindow(board: StatusBoard, request: WindowRequest): Promise<void> {
  const { at, by, line } = await read.nextWindow.executeWithOptions({ summary: `See when ${request.step} may begin` }, [
    request,
  ]);
  if (by === 'expiry') board.problem(line);
  const ms = Date.parse(at) - Date.now();
  if (by === 'open' || ms <= 0) return;
  board.wait(line);
  await sleep(ms, { summary: line });
}
