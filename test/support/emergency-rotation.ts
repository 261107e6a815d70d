import type { WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import type { CaPlan } from '../../src/domain/rotation.js';
import { AskedRotation, day } from './asked-rotation.js';
import { WorkflowTests } from './temporal-env.js';

/** An emergency as a person declares it. */
export const ada = { who: 'ada', why: 'the key was in a public bucket', leaked: 'current' };

/** A person is asked, unless something else is said. */
export const patient = { mode: 'manual', deadlineMs: 5 * day, remindEveryMs: day } as const;

/** Those in which an emergency is declared. */
export class EmergencyRotation extends AskedRotation {
  static override async begin(): Promise<EmergencyRotation> {
    return new EmergencyRotation(await WorkflowTests.skippingTime(), { approval: patient });
  }

  /** @param emergency comes with the start */
  override start(
    overrides: Partial<Activities> = {},
    planned: Partial<CaPlan> = {},
    emergency?: object,
  ): Promise<void> {
    return super.start(overrides, planned, emergency && { who: ada.who, emergency });
  }

  declare(sent: object = {}): Promise<unknown> {
    return this.handle.executeUpdate('emergency', { args: [{ ...ada, ...sent }] });
  }

  inputsOf(name: keyof Activities): readonly Readonly<Record<string, unknown>>[] {
    return this.fakes.calls.filter((call) => call.name === name).map(({ input }) => input);
  }

  /** How long its timers ran to their ends, together (milliseconds): the server may skip time otherwise, too. */
  async waited(): Promise<number> {
    return (await firedTimers(this.handle)).reduce((sum, one) => sum + one, 0);
  }
}

/** Of the timers that ran to their ends, how long each did (milliseconds). */
export async function firedTimers(handle: WorkflowHandle): Promise<readonly number[]> {
  const events = (await handle.fetchHistory()).events ?? [];
  const fired = events.flatMap(({ timerFiredEventAttributes: timer }) => timer?.startedEventId?.toString() ?? []);
  const timers = events.filter(({ eventId }) => fired.includes(String(eventId)));
  return timers.map((timer) => 1000 * Number(timer.timerStartedEventAttributes?.startToFireTimeout?.seconds ?? 0));
}
