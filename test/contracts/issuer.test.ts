import { createBuiltinIssuer } from '../../src/issuers/builtin.js';
import { issuerContract } from './issuer.js';

issuerContract({
  kind: 'builtin',
  open: async () => createBuiltinIssuer(),
  algorithms: ['P-256', 'P-384', 'RSA-2048', 'RSA-3072', 'RSA-4096'],
});
