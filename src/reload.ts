import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { createActivities, type Activities, type Dependencies } from './activities/index.js';
import { loadConfig, type LoadedConfig } from './config/load.js';
import type { Config } from './config/schema.js';
import { RotationError } from './domain/failures.js';

const lookEveryMs = 1000;

export interface ReloadOptions {
  /** Checks what this worker was granted, and makes the objects. Whatever it throws, the last configuration stays in use. */
  readonly wire: (loaded: LoadedConfig) => Promise<Dependencies>;
  readonly log: {
    info(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

/** A configuration with all that was made from it, and the activities that use it now. */
interface Generation {
  readonly loaded: LoadedConfig;
  readonly deps: Dependencies;
  readonly activities: Activities;
  running: number;
}

/**
 * The configuration file, followed: a valid one takes the place of the last, whole and at once; one that cannot be used is reported
 * and changes nothing (safety 34). An activity ends with the configuration that it began with.
 */
export class FollowedConfiguration {
  readonly #options: ReloadOptions;
  readonly #stopped = new AbortController();
  #current: Generation;
  /** Reported already. */
  #problem: string | undefined;
  /** For the worker: each call is made with the configuration of that moment. */
  readonly activities: Activities;

  private constructor(options: ReloadOptions, first: Generation) {
    this.#options = options;
    this.#current = first;
    const names = Object.keys(first.activities) as (keyof Activities)[];
    this.activities = Object.fromEntries(
      names.map((name) => [name, (...args: readonly unknown[]) => this.#run(name, args)]),
    ) as unknown as Activities;
  }

  static async start(loaded: LoadedConfig, options: ReloadOptions): Promise<FollowedConfiguration> {
    return new FollowedConfiguration(options, await generationOf(loaded, options));
  }

  get deps(): Dependencies {
    return this.#current.deps;
  }

  /** Looks at the file, about once a second, until it is closed. */
  follow(): void {
    void (async () => {
      while (!this.#stopped.signal.aborted) {
        await wait(lookEveryMs, undefined, { ref: false });
        await this.look();
      }
    })();
  }

  async look(): Promise<void> {
    const { log } = this.#options;
    const { file, digest, config } = this.#current.loaded;
    try {
      const loaded = await loadConfig(file);
      this.#problem = loaded.digest === digest ? undefined : this.#problem;
      if (loaded.digest === digest) return;
      refuseRebinding(config, loaded.config);
      this.#replace(await generationOf(loaded, this.#options));
      log.info({ configuration: loaded.digest, before: digest }, 'the configuration file was read anew');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.#problem)
        log.error(
          { reason, configuration: digest },
          'the configuration file is not taken; the last good one stays in use',
        );
      this.#problem = reason;
    }
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#current.deps.close();
  }

  #replace(next: Generation): void {
    const last = this.#current;
    this.#current = next;
    this.#problem = undefined;
    this.#closeUnused(last);
  }

  async #run(name: keyof Activities, args: readonly unknown[]): Promise<unknown> {
    const generation = this.#current;
    generation.running += 1;
    try {
      const activity = generation.activities[name] as (...given: readonly unknown[]) => Promise<unknown>;
      return await activity(...args);
    } finally {
      generation.running -= 1;
      this.#closeUnused(generation);
    }
  }

  #closeUnused(generation: Generation): void {
    if (generation !== this.#current && generation.running === 0) void generation.deps.close();
  }
}

async function generationOf(loaded: LoadedConfig, { wire }: ReloadOptions): Promise<Generation> {
  const deps = await wire(loaded);
  return { loaded, deps, activities: createActivities(deps), running: 0 };
}

/** What a worker is bound to for as long as it lives: where it polls, where its keys rest, and its cluster. */
function refuseRebinding(before: Config, after: Config): void {
  const changed = (['temporal', 'keystore', 'kubernetes'] as const).filter(
    (section) => !isDeepStrictEqual(before[section], after[section]),
  );
  if (changed.length === 0) return;
  throw new RotationError('ConfigurationInvalid', `A running worker keeps its ${changed.join(', ')}: start it anew.`);
}
