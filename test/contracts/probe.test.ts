import { createClientProbe } from '../../src/probes/client.js';
import { createTemporalCliProbe } from '../../src/probes/temporal-cli.js';
import { findTool } from '../../src/sandbox/tools/index.js';
import { probeContract } from './probe.js';

probeContract({
  kind: 'client',
  open: async ({ deadlineMs }) => createClientProbe({ deadlineMs }),
  unknownCa: 'unknown ca',
});

probeContract({
  kind: 'temporal-cli',
  open: async ({ deadlineMs }) => createTemporalCliProbe({ program: { path: await findTool('temporal') }, deadlineMs }),
  unknownCa: 'certificate required',
});
