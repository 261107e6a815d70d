/**
 * The places that a rotation passes at which its worker may be killed, by name. A place that is passed several times has a number;
 * the same rotation passes the same places, so that one run can list them and each later run be killed at one.
 */
export class KillPoints {
  readonly #kill: () => void;
  readonly #passed = new Map<string, number>();
  #deadly: string | undefined;
  #kills = 0;

  /** @param kill ends the worker at once, as SIGKILL does */
  constructor(kill: () => void) {
    this.#kill = kill;
  }

  /** Every place that was passed since the beginning. */
  get places(): readonly string[] {
    return [...this.#passed].flatMap(([place, times]) =>
      Array.from({ length: times }, (_, at) => nameOf(place, at + 1)),
    );
  }

  get kills(): number {
    return this.#kills;
  }

  /** Forgets what was passed. @param deadly where the worker is killed, once */
  begin(deadly?: string): void {
    this.#passed.clear();
    this.#deadly = deadly;
    this.#kills = 0;
  }

  /** True when the worker was killed here: nothing that it waits for may reach it. */
  pass(place: string): boolean {
    const times = (this.#passed.get(place) ?? 0) + 1;
    this.#passed.set(place, times);
    if (this.#kills > 0 || nameOf(place, times) !== this.#deadly) return false;
    this.#kills += 1;
    this.#kill();
    return true;
  }
}

const nameOf = (place: string, times: number): string => (times > 1 ? `${place} (${times})` : place);
