import type { Config } from '../config/schema.js';
import { createClientProbe } from './client.js';
import type { Probe } from './probe.js';
import { createTemporalCliProbe } from './temporal-cli.js';

export function createProbe(config: Config['probe']): Probe {
  switch (config.kind) {
    case 'client':
      return createClientProbe();
    case 'temporal-cli':
      return createTemporalCliProbe({ program: { path: config.binary, sha256: config.sha256 } });
  }
}
