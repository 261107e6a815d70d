import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';

/** What the numbers depend on. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGib: number;
  readonly platform: string;
  readonly node: string;
  readonly openssl: string;
}

export function machine(): Machine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGib: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    openssl: process.versions.openssl,
  };
}

/** Processes that ran or wanted to, over the last minute: more than `cores` before a run, and its times are somebody else's. */
export function loadOfLastMinute(): number {
  return Math.round(loadavg()[0]! * 100) / 100;
}
