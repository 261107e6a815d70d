// Preloaded (node --import) into a process whose clock is to be off: by as many milliseconds as the file says that CLOCK_OFF_BY
// names. The file may change while the process runs, as a clock may jump; what counts now is in a file beside it, `.taken`.
import { readFileSync, watchFile, writeFileSync } from 'node:fs';

const file = process.env['CLOCK_OFF_BY'];
if (file) {
  const Real = Date;
  let offMs = 0;
  const read = () => {
    offMs = Number(readFileSync(file, 'utf8'));
    writeFileSync(`${file}.taken`, String(offMs));
  };
  read();
  watchFile(file, { interval: 100, persistent: false }, read);
  globalThis.Date = class Date extends Real {
    constructor(...given) {
      super(...(given.length === 0 ? [Real.now() + offMs] : given));
    }
    static now() {
      return Real.now() + offMs;
    }
  };
}
