import { createClientProbe } from '../../src/probes/client.js';
import { probeContract } from './probe.js';

probeContract({
  kind: 'client',
  open: async ({ deadlineMs }) => createClientProbe({ deadlineMs }),
  unknownCa: 'unknown ca',
});
