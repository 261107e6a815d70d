import { setTimeout as wait } from 'node:timers/promises';
import type { AuditEvent } from './domain/audit.js';
import { postSigned, type WebhookPlace } from './notifiers/webhook.js';

interface Log {
  warn(fields: object, message: string): void;
}

export interface DeliveryOptions {
  /** Where events go now; undefined: nowhere. */
  webhook(): WebhookPlace | undefined;
  readonly log: Log;
  /** Between two attempts at first; doubled up to a minute. */
  readonly retryMs?: number;
}

/** More than a receiver can miss in days; beyond it the oldest go, which their sequence shows, and which the log has. */
const mostWaiting = 10_000;
const longestPauseMs = 60_000;

/**
 * Audit events on their way to a webhook: in their order, one at a time, each until it is taken. Nobody waits for it and
 * nothing fails by it: what a worker that ends has not delivered is in its log, and missing in the chain that was received.
 */
export class AuditDelivery {
  readonly #options: DeliveryOptions;
  readonly #waiting: AuditEvent[] = [];
  readonly #stopped = new AbortController();
  #delivering: Promise<void> | undefined;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  take(event: AuditEvent): void {
    if (!this.#options.webhook()) return;
    this.#waiting.push(event);
    if (this.#waiting.length > mostWaiting) this.#waiting.shift();
    this.#delivering ??= this.#deliver();
  }

  /** What waits has so long. */
  async close(withinMs: number): Promise<void> {
    const { signal } = this.#stopped;
    await Promise.race([this.#delivering, wait(withinMs, undefined, { signal }).catch(() => undefined)]);
    this.#stopped.abort();
    const left = this.#waiting.length;
    if (left > 0)
      this.#options.log.warn({ events: left }, 'audit events were not taken by the webhook: the log has them');
  }

  async #deliver(): Promise<void> {
    const { log, retryMs = 1000 } = this.#options;
    let pauseMs = retryMs;
    for (let [event] = this.#waiting; event && !this.#stopped.signal.aborted; [event] = this.#waiting) {
      const webhook = this.#options.webhook();
      if (!webhook) break;
      try {
        await postSigned('audit.webhook', webhook, messageOf(event));
        if (this.#waiting[0] === event) this.#waiting.shift();
        pauseMs = retryMs;
      } catch (error) {
        log.warn(
          { reason: (error as Error).message, waiting: this.#waiting.length },
          'the audit webhook does not take it',
        );
        await wait(pauseMs, undefined, { signal: this.#stopped.signal, ref: false }).catch(() => undefined);
        pauseMs = Math.min(2 * pauseMs, longestPauseMs);
      }
    }
    // In the same breath as the last look: what is taken from now on begins anew.
    this.#delivering = undefined;
  }
}

/** Version 1, as that of notifications; `data` is the event with its hash, as the log has it. */
function messageOf(event: AuditEvent): { readonly id: string; readonly body: string } {
  const id = `${event.stream}.${event.sequence}`;
  return { id, body: JSON.stringify({ version: 1, id, type: 'audit', timestamp: event.at, data: event }) };
}
