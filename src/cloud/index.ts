import { readFileSync } from 'node:fs';
import type { Config } from '../config/schema.js';
import { openCloudChannel } from './channel.js';
import type { Cloud } from './cloud.js';
import { createOpsApiCloud } from './ops-api.js';
import { createTcldCloud } from './tcld.js';

export interface CloudDependencies {
  readonly apiKey: string;
}

export function createCloud(config: Config['cloud'], { apiKey }: CloudDependencies): Cloud {
  switch (config.kind) {
    case 'ops-api': {
      const serverRoots = config.serverRootsFile ? readFileSync(config.serverRootsFile) : undefined;
      return createOpsApiCloud(openCloudChannel({ address: config.address, apiKey, serverRoots }));
    }
    case 'tcld': {
      const { binary, sha256, ...rest } = config;
      return createTcldCloud({ ...rest, apiKey, program: { path: binary, sha256 } });
    }
  }
}
