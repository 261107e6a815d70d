// Ends what a process of the sandbox started when that process is gone, however it went (SIGKILL runs no handler): it holds
// the other end of our standard input. Lines: `+group <id>`, `-group <id>`, `+path <path>`, `-path <path>`.
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

const held = { group: new Set(), path: new Set() };

for await (const line of createInterface({ input: process.stdin })) {
  const [, sign, kind, value] = /^([+-])(group|path) (.+)$/.exec(line);
  if (sign === '+') held[kind].add(value);
  else held[kind].delete(value);
}
for (const group of held.group) {
  try {
    process.kill(-Number(group), 'SIGKILL');
  } catch {
    // It ended in the same moment as its parent.
  }
}
for (const path of held.path) rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
