// Breaks one CA rotation after the other, at random, for as long as one asks: npm run test:soak -- --minutes 60 [--seed N] [--rotations N].
// Ends with counts; or with the seed of the rotation that ended otherwise than it must, so that it can be repeated.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeServerCertificate } from '../test/support/server-certificate.js';
import { Slots } from '../test/support/slots.js';
import { soak } from '../test/support/soak.js';

const { values } = parseArgs({
  options: { seed: { type: 'string' }, minutes: { type: 'string' }, rotations: { type: 'string' } },
});
const [minutes, rotations] = [Number(values.minutes ?? 5), Number(values.rotations ?? Infinity)];
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
if (![minutes, rotations, seed].every((value) => value >= 0))
  throw new Error('Give numbers: npm run test:soak -- --seed 7 --minutes 60');

const dir = mkdtempSync(join(tmpdir(), 'cert-rotation-soak-'));
const until = Date.now() + minutes * 60_000;
process.stdout.write(`seed ${seed}, for ${minutes} minutes\n`);
const slots = await Slots.begin(Math.min(4, rotations));
try {
  const { kills, faults, resumed, calls, failed, leaks, ...done } = await soak({
    slots,
    certificate: makeServerCertificate(dir),
    seed,
    goesOn: (count) => count < rotations && Date.now() < until,
    progress: (line) => process.stdout.write(`${line}\n`),
  });
  process.stdout.write(
    `${done.rotations} rotations survived ${kills} kills and ${faults} faults, ${resumed} started again; ${calls} calls of workers, failed ${failed}; places with keys: ${leaks.join(', ') || 'none'}\n`,
  );
  if (leaks.length > 0) process.exitCode = 1;
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  await slots.stop();
  rmSync(dir, { recursive: true, force: true });
}
