import { createClientProbe } from './client.js';
import type { Probe } from './probe.js';

/** The built-in probe; another kind is a file beside it and a choice here. */
export function createProbe(): Probe {
  return createClientProbe();
}
