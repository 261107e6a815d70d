import { readFileSync } from 'node:fs';
import { openCloudChannel } from '../../src/cloud/channel.js';
import { createOpsApiCloud } from '../../src/cloud/ops-api.js';
import { createTcldCloud } from '../../src/cloud/tcld.js';
import { findTool } from '../../src/sandbox/tools/index.js';
import { cloudContract } from './cloud.js';

cloudContract({
  kind: 'ops-api',
  service: 'CloudService',
  operationMethod: 'GetAsyncOperation',
  open: async ({ address, apiKey, caFile }) =>
    createOpsApiCloud(openCloudChannel({ address, apiKey, serverRoots: readFileSync(caFile) })),
});

cloudContract({
  kind: 'tcld',
  service: 'NamespaceService',
  operationMethod: 'GetRequestStatus',
  open: async ({ address, apiKey, caFile }) =>
    createTcldCloud({
      program: { path: await findTool('tcld', { progress: (line) => process.stderr.write(`${line}\n`) }) },
      address,
      apiKey,
      serverRootsFile: caFile,
      allowFieldLoss: false,
    }),
});
