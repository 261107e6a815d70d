import { createActivities, type Activities } from '../../src/activities/index.js';
import { RotationError, type FailureType } from '../../src/domain/failures.js';
import type { World } from './fakes.js';

/**
 * The activities of a world, in which one call of the keystore or of a target fails once, as it does when the API server behind both
 * does not answer: before it has its effect, or after.
 */
export class OneFault {
  /** Every place that was reached, in order. */
  readonly places: string[] = [];
  readonly #failsAt: string | undefined;
  readonly #calls = new Map<string, number>();
  /** How often one failed. */
  struck = 0;

  constructor(failsAt?: string) {
    this.#failsAt = failsAt;
  }

  activities(world: World): Activities {
    const keystore = this.#failing('keystore', world.keystore, 'KeystoreUnavailable');
    const target = this.#failing('target', world.target, 'KubernetesUnavailable');
    return createActivities({ ...world.deps, keystore, target: () => target });
  }

  #failing<Port extends object>(port: string, real: Port, failure: FailureType): Port {
    return new Proxy(real, {
      get: (_real, name: string) => {
        const member: unknown = Reflect.get(real, name);
        if (typeof member !== 'function') return member;
        return async (...given: unknown[]): Promise<unknown> => {
          const call = this.#counted(`${port}.${name}`);
          this.#reach(`before ${call}`, failure);
          const answer: unknown = await member.apply(real, given);
          this.#reach(`after ${call}`, failure);
          return answer;
        };
      },
    });
  }

  #counted(call: string): string {
    const count = (this.#calls.get(call) ?? 0) + 1;
    this.#calls.set(call, count);
    return `${call} (${count})`;
  }

  #reach(place: string, failure: FailureType): void {
    this.places.push(place);
    if (place !== this.#failsAt || this.struck > 0) return;
    this.struck += 1;
    throw new RotationError(failure, `${place}: the API server does not answer.`);
  }
}
