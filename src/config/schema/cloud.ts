import { z } from 'zod';
import { filePath, hostAndPort, secretReference } from '../fields.js';
import { program } from './program.js';

const cloudApi = {
  address: hostAndPort.default('saas-api.tmprl.cloud:443'),
  serverRootsFile: filePath.optional().describe('PEM roots of the server; only for a sandbox.'),
  apiKey: secretReference
    .describe('API key of a service account with Namespace Admin on the namespaces.')
    .meta({ examples: [{ env: 'TEMPORAL_CLOUD_API_KEY' }] }),
};

export const cloud = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('ops-api'), ...cloudApi }),
    z.strictObject({
      kind: z.literal('tcld'),
      ...program,
      ...cloudApi,
      allowFieldLoss: z
        .boolean()
        .default(false)
        .describe('Write without looking, through Cloud Ops, for the fields of the spec that tcld loses (safety 38).'),
    }),
  ])
  .describe('What changes the namespaces: the Cloud Ops API, or tcld.')
  .meta({ examples: [{ kind: 'ops-api', apiKey: { env: 'TEMPORAL_CLOUD_API_KEY' } }] });
