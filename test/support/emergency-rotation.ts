import type { WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import { caRotationId } from '../../src/domain/ids.js';
import type { CaPlan, CaRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import { fakeActivities, plan, type FakeActivities } from './fake-activities.js';
import { rootOf } from './failures.js';
import { WorkflowTests } from './temporal-env.js';

export const hour = 3_600_000;
export const day = 24 * hour;

/** An emergency as a person declares it. */
export const ada = { who: 'ada', why: 'the key was in a public bucket', leaked: 'current' };

/** A person is asked, unless something else is said. */
export const patient = { mode: 'manual', deadlineMs: 5 * day, remindEveryMs: day } as const;

/** CA rotations, one after the other, in which an emergency is declared, over activities that a test says. */
export class EmergencyRotation {
  readonly tests: WorkflowTests;
  /** Those of the one that was started last. */
  authority = '';
  fakes: FakeActivities = fakeActivities();
  #handle: WorkflowHandle | undefined;
  #count = 0;

  private constructor(tests: WorkflowTests) {
    this.tests = tests;
  }

  static async begin(): Promise<EmergencyRotation> {
    return new EmergencyRotation(await WorkflowTests.skippingTime());
  }

  stop(): Promise<void> {
    return this.tests.stop();
  }

  /** @param emergency comes with the start */
  async start(overrides: Partial<Activities> = {}, planned: Partial<CaPlan> = {}, emergency?: object): Promise<void> {
    const authority = `authority-${(this.#count += 1)}`;
    const resolveCaRotation = async () => plan(authority, { approval: patient, ...planned });
    this.authority = authority;
    this.fakes = fakeActivities({ resolveCaRotation, ...overrides });
    this.tests.use(this.fakes);
    this.#handle = await this.tests.start('caRotation', caRotationId(authority), {
      authority,
      ...(emergency && { who: ada.who, emergency }),
    });
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

  /** Waits until it is in this phase. */
  reach(phase: RotationStatus['phase']): Promise<RotationStatus> {
    return this.tests.reach(this.handle, phase);
  }

  waitsForAPerson(): Promise<RotationStatus> {
    return this.tests.eventually(async () => {
      const seen = await this.status();
      return seen.waitingFor.startsWith('a person, because of') && seen;
    });
  }

  declare(sent: object = {}): Promise<unknown> {
    return this.handle.executeUpdate('emergency', { args: [{ ...ada, ...sent }] });
  }

  intervene(action: string, sent: object = {}): Promise<unknown> {
    return this.handle.executeUpdate('intervene', { args: [{ action, who: 'ann', why: 'a doubt', ...sent }] });
  }

  /** The activities that it began, in order. */
  names(): readonly string[] {
    return this.fakes.names();
  }

  inputsOf(name: keyof Activities): readonly Readonly<Record<string, unknown>>[] {
    return this.fakes.calls.filter((call) => call.name === name).map(({ input }) => input);
  }

  /** How long its timers ran to their ends, together (milliseconds): the server may skip time otherwise, too. */
  async waited(): Promise<number> {
    return (await firedTimers(this.handle)).reduce((sum, one) => sum + one, 0);
  }
}

/** What an update was refused with. */
export async function refusalOf(sent: Promise<unknown>): Promise<string> {
  return rootOf(await sent.catch((error: unknown) => error)).message;
}

/** Of the timers that ran to their ends, how long each did (milliseconds). */
export async function firedTimers(handle: WorkflowHandle): Promise<readonly number[]> {
  const events = (await handle.fetchHistory()).events ?? [];
  const fired = events.flatMap(({ timerFiredEventAttributes: timer }) => timer?.startedEventId?.toString() ?? []);
  const timers = events.filter(({ eventId }) => fired.includes(String(eventId)));
  return timers.map((timer) => 1000 * Number(timer.timerStartedEventAttributes?.startToFireTimeout?.seconds ?? 0));
}
