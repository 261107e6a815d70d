import { RotationError } from '../domain/failures.js';
import type { Config } from './schema.js';

/** The variable of the environment that grants powers, by their words: `CERT_ROTATION_ALLOW=commands`. */
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
  return [
    ...usesOfCloud(cloud),
    ...command('probe', probe),
    ...Object.entries(authorities).flatMap(([name, { issuer }]) => command(`authorities.${name}.issuer`, issuer)),
  ];
}

function usesOfCloud(cloud: Config['cloud']): readonly Use[] {
  const what = `cloud: the API key would go to ${cloud.address}, not to Temporal`;
  const isForeign = !temporalCloud.test(cloud.address) || cloud.serverRootsFile !== undefined;
  return [...(isForeign ? [{ power: 'foreign-cloud', what } as const] : []), ...command('cloud', cloud)];
}

function command(key: string, { binary }: { readonly kind: string; readonly binary?: string }): readonly Use[] {
  return binary === undefined ? [] : [{ power: 'commands', what: `${key}: ${binary} would be run` }];
}

/** Throws NotGranted, which names all that the configuration uses and the words that would grant it. */
export function refusePowers(config: Config, granted: string | undefined): void {
  refuseUses(usesOf(config), granted);
}

/** The same for who uses nothing but the cloud: whoever breaks the glass. */
export function refuseCloudPowers({ cloud }: Pick<Config, 'cloud'>, granted: string | undefined): void {
  refuseUses(usesOfCloud(cloud), granted);
}

function refuseUses(uses: readonly Use[], granted: string | undefined): void {
  const words = granted?.split(/[\s,]+/) ?? [];
  const missing = uses.filter(({ power }) => !words.includes(power));
  if (missing.length === 0) return;
  const needed = [...new Set([...words.filter(Boolean), ...missing.map(({ power }) => power)])].join(',');
  throw new RotationError(
    'NotGranted',
    `${missing.map(({ what }) => what).join('; ')}. Only ${allowVariable}=${needed} in the environment grants that.`,
  );
}
