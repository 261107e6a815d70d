import type { WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import type { Decision } from '../../src/domain/approval.js';
import { caRotationId } from '../../src/domain/ids.js';
import type { CaPlan, CaRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import { evidence, fakeActivities, plan, type FakeActivities } from './fake-activities.js';
import { WorkflowTests } from './temporal-env.js';

export const hour = 3_600_000;
export const day = 24 * hour;

/** A person who decides or steps in. */
export const ann = { who: 'ann', why: 'she knows' };

/** The same, who has seen the evidence. */
export const seen = { ...ann, evidence: evidence().digest };

/** CA rotations, one after the other, in which people are asked or step in, over activities that a test says. */
export class AskedRotation {
  readonly tests: WorkflowTests;
  /** Of the one that was started last. */
  authority = '';
  fakes: FakeActivities = fakeActivities();
  #handle: WorkflowHandle | undefined;
  #count = 0;
  readonly #always: Partial<CaPlan>;

  protected constructor(tests: WorkflowTests, always: Partial<CaPlan>) {
    this.tests = tests;
    this.#always = always;
  }

  /** @param always planned for each of them, unless something else is said */
  static async begin(always: Partial<CaPlan> = {}): Promise<AskedRotation> {
    return new AskedRotation(await WorkflowTests.skippingTime(), always);
  }

  stop(): Promise<void> {
    return this.tests.stop();
  }

  /** @param input comes with the start, beside the authority */
  async start(overrides: Partial<Activities> = {}, planned: Partial<CaPlan> = {}, input: object = {}): Promise<void> {
    const authority = `authority-${(this.#count += 1)}`;
    this.authority = authority;
    const resolveCaRotation = async () => plan(authority, { ...this.#always, ...planned });
    this.fakes = fakeActivities({ resolveCaRotation, ...overrides });
    this.tests.use(this.fakes);
    this.#handle = await this.tests.start('caRotation', caRotationId(authority), { authority, ...input });
  }

  get handle(): WorkflowHandle {
    return this.#handle!;
  }

  status(): Promise<RotationStatus> {
    return this.handle.query<RotationStatus>('status');
  }

  result(): Promise<CaRotationResult> {
    return this.handle.result() as Promise<CaRotationResult>;
  }

  /** What it failed with; undefined when it did not. */
  failure(): Promise<unknown> {
    return this.tests.failureOf(this.handle);
  }

  /** Waits until it is in this phase. */
  reach(phase: RotationStatus['phase']): Promise<RotationStatus> {
    return this.tests.reach(this.handle, phase);
  }

  waitsForAPerson(): Promise<RotationStatus> {
    return this.tests.eventually(async () => {
      const status = await this.status();
      return status.waitingFor.startsWith('a person, because of') && status;
    });
  }

  decide(decision: Decision['decision'], sent: object): Promise<{ decided: boolean }> {
    return this.handle.executeUpdate<{ decided: boolean }, [object]>('decideCaRemoval', {
      args: [{ decision, ...sent }],
    });
  }

  intervene(action: string, sent: object = {}): Promise<{ undoes: string[] }> {
    return this.handle.executeUpdate<{ undoes: string[] }, [object]>('intervene', {
      args: [{ action, ...ann, ...sent }],
    });
  }

  /** The activities that it began, in order. */
  names(): readonly string[] {
    return this.fakes.names();
  }

  /** Those that it began after the last of this name. */
  namesAfter(name: keyof Activities): readonly string[] {
    return this.names().slice(this.names().lastIndexOf(name) + 1);
  }

  /** The titles of what people were told, in order. */
  told(): readonly string[] {
    return this.fakes.calls.flatMap(({ name, input }) =>
      name === 'notify' ? [(input['notification'] as { title: string }).title] : [],
    );
  }
}

/** A decision without its time, which no test says. */
export function untimed({ at: _at, ...decision }: Partial<Decision> = {}): Omit<Partial<Decision>, 'at'> {
  return decision;
}
