import { RotationError } from '../domain/failures.js';
import type { Config } from './schema.js';

/** The variable of the worker's environment that grants powers, by their words: `CERT_ROTATION_ALLOW=commands`. */
export const allowVariable = 'CERT_ROTATION_ALLOW';

/**
 * What a configuration file could have the worker do beyond rotating: send the API key to an address that is not Temporal's, or
 * run a program beside the keys. Whoever may edit the file is not always who runs the worker (safety 24).
 */
type Power = 'foreign-cloud' | 'commands';

interface Use {
  readonly power: Power;
  readonly what: string;
}

const temporalCloud = /^([a-z0-9-]+\.)*tmprl\.cloud:\d+$/i;

function usesOf({ cloud, authorities, probe }: Config): readonly Use[] {
  const uses: Use[] = [];
  if (!temporalCloud.test(cloud.address) || cloud.serverRootsFile)
    uses.push({ power: 'foreign-cloud', what: `cloud: the API key would go to ${cloud.address}, not to Temporal` });
  const programs: readonly (readonly [key: string, value: { readonly kind: string; readonly binary?: string }])[] = [
    ['cloud', cloud],
    ['probe', probe],
    ...Object.entries(authorities).map(([name, { issuer }]) => [`authorities.${name}.issuer`, issuer] as const),
  ];
  for (const [key, { binary }] of programs)
    if (binary !== undefined) uses.push({ power: 'commands', what: `${key}: ${binary} would be run` });
  return uses;
}

/** Throws NotGranted, which names all that the configuration uses and the words that would grant it. */
export function refusePowers(config: Config, granted: string | undefined): void {
  const words = granted?.split(/[\s,]+/) ?? [];
  const missing = usesOf(config).filter(({ power }) => !words.includes(power));
  if (missing.length === 0) return;
  const needed = [...new Set([...words.filter(Boolean), ...missing.map(({ power }) => power)])].join(',');
  throw new RotationError(
    'NotGranted',
    `${missing.map(({ what }) => what).join('; ')}. Only ${allowVariable}=${needed} in the environment of the worker grants that.`,
  );
}
