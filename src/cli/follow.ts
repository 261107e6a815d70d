import type { Client } from '@temporalio/client';
import { watch, type Step, type Told } from '../temporal/history.js';
import { pendingActivities } from '../temporal/live.js';
import { nextOf, waitOf } from './status-row.js';

export interface Run {
  readonly workflowId: string;
  readonly runId: string;
}

/** Where the following is told. */
export interface Teller {
  say(line: string): void;
  /** What goes on at the moment; replaced by the next line. */
  now(line: string): void;
}

const heartbeatEveryMs = 2000;

/**
 * Follows a run and its children to the end, by long polls of their histories: no billed action, no live worker needed. Each
 * step is said once, when it ends; each wait when it begins. Following again after a lost connection says nothing twice.
 */
export class Follower {
  readonly #run: Run;
  readonly #teller: Teller;
  readonly #said = new Set<string>();
  #underWay: { readonly workflowId: string; readonly step: Step } | undefined;

  constructor(run: Run, teller: Teller) {
    this.#run = run;
    this.#teller = teller;
  }

  /** How the run ended; its actions are those of its children, too. */
  async follow(client: Client): Promise<Told> {
    const children = new Map<string, Promise<Told>>();
    const heartbeats = setInterval(() => void this.#showProgress(client).catch(() => undefined), heartbeatEveryMs);
    try {
      const told = await this.#followOne(client, this.#run, (child) => {
        if (children.has(child)) return;
        const following = this.#followOne(client, { workflowId: child });
        // Its error is thrown below, once the run itself has ended.
        following.catch(() => undefined);
        children.set(child, following);
      });
      const all = await Promise.all(children.values());
      return { ...told, actions: all.reduce((sum, { actions }) => sum + actions, told.actions) };
    } finally {
      clearInterval(heartbeats);
    }
  }

  async #followOne(
    client: Client,
    { workflowId, runId }: Pick<Run, 'workflowId'> & Partial<Run>,
    onChild: (child: string) => void = () => undefined,
  ): Promise<Told> {
    let last: Told | undefined;
    for await (const told of watch(client, workflowId, runId)) {
      last = told;
      this.#tell(workflowId, told);
      told.children.forEach(onChild);
    }
    return last!;
  }

  #tell(workflowId: string, told: Told): void {
    const prefix = workflowId === this.#run.workflowId ? '' : `${workflowId}: `;
    for (const step of told.steps) if (step.state !== 'running') this.#once(workflowId, step, prefix);
    const step = told.steps.at(-1);
    if (step?.state === 'running') {
      this.#underWay = { workflowId, step };
      this.#teller.now(`  ${step.phase.padEnd(10)} ${prefix}${step.summary} …`);
    }
    const wait = waitOf(told);
    if (!wait || this.#said.has(wait)) return;
    this.#said.add(wait);
    this.#teller.say(`  ${''.padEnd(10)} ${prefix}waits for: ${wait}`);
    const next = nextOf(workflowId, told);
    if (next) this.#teller.say(`  ${''.padEnd(10)} ${next}`);
  }

  #once(workflowId: string, step: Step, prefix: string): void {
    const key = `${workflowId} ${step.startedAt} ${step.activity}`;
    if (this.#said.has(key)) return;
    this.#said.add(key);
    const seconds = step.seconds === undefined ? '' : ` (${step.seconds.toFixed(1)} s)`;
    this.#teller.say(`  ${step.phase.padEnd(10)} ${prefix}${step.summary}${seconds}`);
    if (step.failure) this.#teller.say(`  ${''.padEnd(10)} FAILED: ${step.failure}`);
  }

  async #showProgress(client: Client): Promise<void> {
    if (!this.#underWay) return;
    const { workflowId, step } = this.#underWay;
    const pending = await pendingActivities(client, workflowId);
    const live = pending.find(({ activity }) => activity === step.activity);
    if (!live) return;
    const attempt = live.attempt > 1 ? ` (attempt ${live.attempt}; before: ${live.lastFailure ?? 'no answer'})` : '';
    this.#teller.now(`  ${step.phase.padEnd(10)} ${step.summary} … ${live.progress ?? ''}${attempt}`);
  }
}
