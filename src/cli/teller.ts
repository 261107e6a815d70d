import type { Teller } from './follow.js';

/** Lines on a stream; on a terminal the last one shows what goes on at the moment. */
export function streamTeller(stream: NodeJS.WriteStream): Teller {
  let shown = false;
  const clear = () => {
    if (shown) stream.write('\r\u001b[K');
    shown = false;
  };
  return {
    say(line) {
      clear();
      stream.write(`${line}\n`);
    },
    now(line) {
      if (!stream.isTTY) return;
      clear();
      stream.write(line.replaceAll('\n', ' ').slice(0, (stream.columns || 80) - 1));
      shown = true;
    },
  };
}
