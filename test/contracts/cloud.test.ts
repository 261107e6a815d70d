import { readFileSync } from 'node:fs';
import { openCloudChannel } from '../../src/cloud/channel.js';
import { createOpsApiCloud } from '../../src/cloud/ops-api.js';
import { cloudContract } from './cloud.js';

cloudContract({
  kind: 'ops-api',
  operationMethod: 'GetAsyncOperation',
  open: async ({ address, apiKey, caFile }) =>
    createOpsApiCloud(openCloudChannel({ address, apiKey, serverRoots: readFileSync(caFile) })),
});
