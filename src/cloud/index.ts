import { readFileSync } from 'node:fs';
import type { Config } from '../config/schema.js';
import type { Keystore } from '../keystore/keystore.js';
import { openCloudChannel } from './channel.js';
import type { Cloud } from './cloud.js';
import { createOpsApiCloud } from './ops-api.js';
import { createSpecMemory } from './spec-memory.js';
import { createTcldCloud } from './tcld.js';

export interface CloudDependencies {
  readonly apiKey: string;
  /** Where a cloud keeps what it may have to put back after this process died; absent: nowhere. */
  readonly keystore?: Keystore | undefined;
}

export function createCloud(config: Config['cloud'], { apiKey, keystore }: CloudDependencies): Cloud {
  switch (config.kind) {
    case 'ops-api': {
      const serverRoots = config.serverRootsFile ? readFileSync(config.serverRootsFile) : undefined;
      return createOpsApiCloud(openCloudChannel({ address: config.address, apiKey, serverRoots }));
    }
    case 'tcld': {
      const { binary, sha256, ...rest } = config;
      const memory = keystore && createSpecMemory(keystore);
      return createTcldCloud({ ...rest, apiKey, memory, program: { path: binary, sha256 } });
    }
  }
}
