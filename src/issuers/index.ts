import { resolveSecret } from '../config/references.js';
import type { AuthorityConfig } from '../config/schema.js';
import { createBuiltinIssuer } from './builtin.js';
import { createCertstrapIssuer } from './certstrap.js';
import type { Issuer } from './issuer.js';
import { createTcldIssuer } from './tcld.js';

export function createIssuer(config: AuthorityConfig['issuer']): Issuer {
  switch (config.kind) {
    case 'builtin':
      return createBuiltinIssuer();
    case 'tcld':
      return createTcldIssuer({ path: config.binary, sha256: config.sha256 });
    case 'certstrap': {
      const { binary, sha256, passphrase } = config;
      const resolve = passphrase && (() => resolveSecret(passphrase));
      return createCertstrapIssuer({ program: { path: binary, sha256 }, passphrase: resolve });
    }
  }
}
