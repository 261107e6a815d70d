import { describe } from 'node:test';
import { changing } from './cloud/changing.js';
import { errorAnswers } from './cloud/error-answers.js';
import { identity } from './cloud/identity.js';
import { operations } from './cloud/operations.js';
import { races } from './cloud/races.js';
import { reading } from './cloud/reading.js';
import { refusals } from './cloud/refusals.js';
import { cloudWorld, type CloudRow } from './cloud/world.js';

/** The promises of the port `Cloud`, over the sandbox's Temporal Cloud. */
export function cloudContract(row: CloudRow): void {
  describe(`cloud ${row.kind}`, () => {
    const world = cloudWorld(row);
    for (const promises of [reading, changing, races, operations, refusals, identity, errorAnswers]) promises(world);
  });
}
