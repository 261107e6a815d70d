/** Lines for people, each with the seconds since the beginning. */
export function narrator(out: NodeJS.WritableStream): (line: string) => void {
  const began = Date.now();
  return (line) => void out.write(`${String(Math.round((Date.now() - began) / 1000)).padStart(4)} s  ${line}\n`);
}

/** Ctrl-C need only end this process: what it started goes with it (children.ts). */
export function endOnInterrupt(say: (line: string) => void): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      say('interrupted: everything is stopped and removed');
      process.exit(130);
    });
  }
}
