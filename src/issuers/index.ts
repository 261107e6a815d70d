import type { AuthorityConfig } from '../config/schema.js';
import { createBuiltinIssuer } from './builtin.js';
import type { Issuer } from './issuer.js';

export function createIssuer(config: AuthorityConfig['issuer']): Issuer {
  switch (config.kind) {
    case 'builtin':
      return createBuiltinIssuer();
  }
}
