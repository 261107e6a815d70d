import { AsyncLocalStorage } from 'node:async_hooks';
import { ApplicationFailure } from '@temporalio/common';
import { createActivities, type Activities } from '../../src/activities/index.js';
import type { Keystore } from '../../src/keystore/keystore.js';
import type { Target } from '../../src/targets/target.js';
import type { World } from './fakes.js';

/**
 * The activities of a world, in a worker that is killed at one place: before or after an activity, or at a request that changes
 * something: on its arrival, or after its effect and before the answer. What a killed activity had begun never goes on, neither its
 * `catch` nor its `finally`; Temporal gives it to the next worker.
 */
export class Killer {
  /** Every place that was reached, in order. */
  readonly places: string[] = [];
  readonly #diesAt: (place: string) => boolean;
  readonly #runs = new Map<string, number>();
  readonly #attempt = new AsyncLocalStorage<(where: string) => Promise<void>>();
  /** How often it killed. */
  struck = 0;

  /** @param diesAt asked at every place that is reached; a place alone: there, once. */
  constructor(diesAt: string | ((place: string) => boolean) = () => false) {
    this.#diesAt = typeof diesAt === 'string' ? (place) => this.struck === 0 && place === diesAt : diesAt;
  }

  activities(world: World): Activities {
    const keystore = this.#keystore(world.keystore);
    const target = this.#target(world.target);
    world.cloud.beforeWrite = () => this.#reach('the cloud is changed: on arrival');
    world.cloud.afterWrite = () => this.#reach('the cloud is changed: before the answer');
    const real = createActivities({ ...world.deps, keystore, target: () => target });
    const killable = Object.entries(real).map(([name, activity]) => [
      name,
      (input: never) => this.#run(name, () => (activity as (given: never) => Promise<unknown>)(input)),
    ]);
    return Object.fromEntries(killable) as Activities;
  }

  #run(name: string, activity: () => Promise<unknown>): Promise<unknown> {
    const run = (this.#runs.get(name) ?? 0) + 1;
    this.#runs.set(name, run);
    const seen = new Map<string, number>();
    return new Promise((resolve, reject) => {
      const reach = async (where: string): Promise<void> => {
        const count = (seen.get(where) ?? 0) + 1;
        seen.set(where, count);
        const place = `${name} (${run}) ${where}${count > 1 ? ` (${count})` : ''}`;
        this.places.push(place);
        if (!this.#diesAt(place)) return;
        this.struck += 1;
        reject(ApplicationFailure.create({ type: 'WorkerKilled', message: place, nextRetryDelay: '10ms' }));
        await new Promise<never>(() => undefined);
      };
      const whole = async (): Promise<unknown> => {
        await reach('before');
        const result = await activity();
        await reach('after');
        return result;
      };
      this.#attempt.run(reach, whole).then(resolve, reject);
    });
  }

  async #reach(where: string): Promise<void> {
    await this.#attempt.getStore()!(where);
  }

  /** A request of an activity that changes something. */
  async request<T>(what: string, send: () => Promise<T>): Promise<T> {
    await this.#reach(`${what}: on arrival`);
    const answer = await send();
    await this.#reach(`${what}: before the answer`);
    return answer;
  }

  #keystore(keystore: World['keystore']): Keystore {
    const kind = (name: string) => name.split('.')[0];
    return {
      get: (name) => keystore.get(name),
      list: (prefix) => keystore.list(prefix),
      create: (name, entry) => this.request(`create ${kind(name)}`, () => keystore.create(name, entry)),
      update: (name, entry, version) =>
        this.request(`update ${kind(name)}`, () => keystore.update(name, entry, version)),
      delete: (name) => this.request(`delete ${kind(name)}`, () => keystore.delete(name)),
    };
  }

  #target(target: World['target']): Target {
    return {
      inspect: () => target.inspect(),
      read: () => target.read(),
      delivered: () => target.delivered(),
      adoption: (delivery) => target.adoption(delivery),
      deliver: (leaf) => this.request('deliver', () => target.deliver(leaf)),
      rollOut: (delivery, progress, restarting) =>
        this.request('roll out', () => target.rollOut(delivery, progress, restarting)),
    };
  }
}
