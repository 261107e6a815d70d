import { createKubernetesTarget, type KubernetesTargetOptions } from './kubernetes/index.js';
import type { Target } from './target.js';

export type TargetOptions = KubernetesTargetOptions;

export function createTarget(options: TargetOptions): Target {
  switch (options.config.kind) {
    case 'kubernetes':
      return createKubernetesTarget(options);
  }
}
