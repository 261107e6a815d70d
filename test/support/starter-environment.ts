import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import type { Environment } from './starter.js';
import { WorkflowTests } from './temporal-env.js';

const example = fileURLToPath(new URL('../../examples/temporal-booking/rotation.yaml', import.meta.url));

/**
 * What the shell of a person has who commands the rotations of `WorkflowTests`.
 * @param address of its Temporal
 * @param dir gets the configuration, that of the example but for its Temporal
 */
export async function starterEnvironment(address: string, dir: string): Promise<Environment> {
  const file = join(dir, 'rotation.yaml');
  const config = parse(await readFile(example, 'utf8')) as object;
  const temporal = { address, namespace: 'default', taskQueue: WorkflowTests.taskQueue };
  await writeFile(file, stringify({ ...config, temporal }));
  return {
    PATH: process.env['PATH']!,
    HOME: dir,
    CERT_ROTATION_CONFIG: file,
    TEMPORAL_CLOUD_API_KEY: 'key',
    CERT_ROTATION_KEY: 'key',
  };
}
