import { createBuiltinIssuer } from '../../src/issuers/builtin.js';
import { createCertstrapIssuer } from '../../src/issuers/certstrap.js';
import { createTcldIssuer } from '../../src/issuers/tcld.js';
import { findTool } from '../../src/sandbox/tools/index.js';
import { issuerContract } from './issuer.js';

const year = 365 * 86_400_000;

issuerContract({
  kind: 'builtin',
  open: async () => createBuiltinIssuer(),
  algorithms: ['P-256', 'P-384', 'RSA-2048', 'RSA-3072', 'RSA-4096'],
});

issuerContract({
  kind: 'tcld',
  open: async () => createTcldIssuer({ path: await findTool('tcld') }),
  algorithms: ['P-384', 'RSA-4096'],
  allowed: {
    leafLacks: ['keyUsage', 'extendedKeyUsage', 'subjectKeyIdentifier'],
    moreUsages: true,
    noPathLength: true,
    printableStrings: true,
    asciiNames: true,
    ownAlternativeNames: true,
    longestLifetimeMs: year,
  },
});

const certstrap = { leafLacks: ['basicConstraints'], moreUsages: true, printableStrings: true } as const;

issuerContract({
  kind: 'certstrap',
  open: async () => createCertstrapIssuer({ program: { path: await findTool('certstrap') } }),
  algorithms: ['P-256', 'P-384', 'RSA-2048'],
  allowed: certstrap,
});

issuerContract({
  kind: 'certstrap, its depot under a passphrase',
  open: async () =>
    createCertstrapIssuer({
      program: { path: await findTool('certstrap') },
      passphrase: async () => 'correct hörse, "battery" $staple',
    }),
  algorithms: ['P-256', 'RSA-2048'],
  allowed: certstrap,
});
