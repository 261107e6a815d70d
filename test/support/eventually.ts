import { setTimeout as wait } from 'node:timers/promises';

/** Calls `look` until it neither throws nor answers false or undefined. After the deadline its last error, or that it never came. */
export async function eventually<T>(look: () => Promise<T | false | undefined>, deadlineMs = 30_000): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    try {
      const found = await look();
      if (found !== false && found !== undefined) return found;
      if (Date.now() >= deadline) throw new Error(`not seen in ${deadlineMs} ms: ${look.toString()}`);
    } catch (error) {
      if (Date.now() >= deadline) throw error;
    }
    await wait(100);
  }
}
