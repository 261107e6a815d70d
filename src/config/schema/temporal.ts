import { z } from 'zod';
import { filePath, hostAndPort, hostName, plainText, temporalNamespace } from '../fields.js';
import { certificateFilter } from './certificates.js';
import { program } from './program.js';

export const temporal = z
  .strictObject({
    profile: plainText.optional().describe('Profile of the Temporal configuration file (default: TEMPORAL_PROFILE).'),
    address: hostAndPort.optional().describe('host:port (default: TEMPORAL_ADDRESS, then the profile).'),
    namespace: temporalNamespace
      .optional()
      .describe('Where the rotations run (default: TEMPORAL_NAMESPACE, then the profile).'),
    taskQueue: plainText.default('cert-rotation').describe('Task queue of the rotation worker.'),
    tls: z
      .strictObject({
        certificateFile: filePath.describe('PEM; followed: a new certificate is taken up without a restart.'),
        keyFile: filePath,
        serverName: hostName.optional().describe('TLS server name (default: the host of the address).'),
        serverRootsFile: filePath.optional().describe('PEM roots of the server (default: those of the system).'),
      })
      .optional()
      .describe('Client certificate (default: the TEMPORAL_TLS_* variables, then the profile).'),
  })
  .describe(
    "How this system's own worker and commands reach Temporal. What is absent comes from TEMPORAL_* and the profile.",
  )
  .meta({ examples: [{ namespace: 'my-namespace.my-account' }] });

export const namespace = z
  .strictObject({
    endpoints: z
      .array(hostAndPort)
      .min(1)
      .optional()
      .describe('Where clients connect, each host:port (default: <namespace>.tmprl.cloud:7233).'),
    serverName: hostName.optional().describe('TLS server name (default: the host of each endpoint).'),
    serverRootsFile: filePath.optional().describe('PEM roots of the server (default: those of the system).'),
    filters: z
      .array(certificateFilter)
      .max(25)
      .optional()
      .describe('Wanted certificate filters (default: left as they are).'),
  })
  .describe('A Temporal Cloud namespace, by <namespace>.<account>.');

export const probe = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('client') }),
    z.strictObject({ kind: z.literal('temporal-cli'), ...program }),
  ])
  .prefault({ kind: 'client' })
  .describe('The connection test with a new leaf: built in, or `temporal workflow list`.')
  .meta({ examples: [{ kind: 'client' }] });
