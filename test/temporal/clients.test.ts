import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { InterceptingCall } from '@grpc/grpc-js';
import { Client, Connection } from '@temporalio/client';
import type { SeenClient } from '../../src/domain/clients.js';
import { seekClients } from '../../src/temporal/clients.js';
import { WorkflowTests } from '../support/temporal-env.js';

const namespace = 'default';
const [orders, own, strange] = ['orders', 'cert-rotation', 'strange'];

describe('safety 13: clients that do not poll are sought', () => {
  let tests: WorkflowTests;
  let connection: Connection;
  /** Names of all calls. */
  const calls: string[] = [];

  before(async () => {
    tests = await WorkflowTests.onDevServer();
    connection = await Connection.connect({
      address: tests.env.address,
      interceptors: [
        (options, next) => {
          calls.push(options.method_definition.path.split('/').at(-1)!);
          return new InterceptingCall(next(options));
        },
      ],
    });
  });
  after(async () => {
    await connection?.close();
    await tests?.stop();
  });

  const as = (identity: string) => new Client({ connection: tests.env.connection, identity }).workflow;
  const start = (identity: string, workflowId: string, taskQueue: string) =>
    as(identity).start('book', { workflowId, taskQueue });
  const seek = (more: object = {}): Promise<readonly SeenClient[]> =>
    seekClients(new Client({ connection }), {
      namespace,
      since: new Date(Date.now() - 3_600_000),
      knownQueues: [orders],
      ownQueue: own,
      ...more,
    });
  async function startBySchedule(taskQueue: string): Promise<void> {
    await tests.env.client.schedule.create({
      scheduleId: 'daily',
      spec: {},
      action: { type: 'startWorkflow', workflowType: 'book', taskQueue },
      state: { triggerImmediately: true },
    });
    const query = 'TemporalScheduledById = "daily"';
    await tests.eventually(async () => (await tests.env.client.workflow.count(query)).count > 0);
  }

  /** What is listed appears a moment later. */
  const seekUntil = (identity: string) =>
    tests.eventually(async () => {
      const seen = await seek();
      return seen.some((client) => client.identity === identity) && seen;
    });

  it('in recent starts, signals and updates, and as pollers of task queues that no target names', async () => {
    const rotation = await tests.start('caRotation', 'ca/sought', { authority: 'sought' });
    await tests.reach(rotation, 'approve');
    await as('9@updater')
      .getHandle('ca/sought')
      .executeUpdate('decideCaRemoval', { args: [{ decision: 'reject', who: 'ann', why: '' }] });
    await rotation.result();
    await start('1@web', 'order-1', orders);
    await as('2@clerk').getHandle('order-1').signal('paid');
    await start('3@batch', 'other-1', strange);
    await startBySchedule(orders);
    const polling = new AbortController();
    const poll = tests.env.connection.withAbortSignal(polling.signal, () =>
      tests.env.connection.withDeadline(Date.now() + 60_000, () =>
        tests.env.connection.workflowService.pollActivityTaskQueue({
          namespace,
          taskQueue: { name: strange },
          identity: '4@stranger',
        }),
      ),
    );
    poll.catch(() => undefined);
    const seen = await seekUntil('4@stranger');
    polling.abort();
    const lines = seen.map(({ identity, does }) => `${identity} ${does}`);
    for (const line of [
      '1@web starts workflows',
      '2@clerk signals workflows',
      '3@batch starts workflows',
      '4@stranger polls task queue strange',
      '9@updater updates workflows',
    ])
      assert.ok(lines.includes(line), `${line} is not among ${lines.join('; ')}`);
    const starters = lines.filter((line) => line.endsWith('starts workflows'));
    assert.equal(starters.length, 3, `parents and schedules are no clients: ${starters.join('; ')}`);
  });

  it('not among those who start rotations and decide about them', async () => {
    await start('5@person', 'ca/orders', own);
    await start('6@web', 'order-2', orders);
    const seen = await seekUntil('6@web');
    assert.ok(!seen.some(({ identity }) => identity === '5@person'));
  });

  it('not longer ago than it is asked for', async () => {
    const seen = await seek({ since: new Date(Date.now() + 1000) });
    assert.deepEqual(
      seen.filter(({ does }) => !does.startsWith('polls')),
      [],
    );
  });

  it('in a namespace that it may not look into it finds anybody, and says why', async () => {
    const [anybody, ...more] = await seek({ namespace: 'no-such-namespace' });
    assert.deepEqual(more, []);
    assert.equal(anybody?.does, 'cannot be looked for: NOT_FOUND');
  });

  it('with calls that are no billed actions, and not more of them than that, however much runs', async () => {
    await Promise.all(Array.from({ length: 40 }, (_, index) => start('7@busy', `many-${index}`, `queue-${index}`)));
    await seekUntil('7@busy');
    await tests.eventually(async () => {
      calls.length = 0;
      await seek();
      return calls.filter((name) => name === 'GetWorkflowExecutionHistoryReverse').length === 30;
    });
    const counts = new Map<string, number>();
    for (const name of calls) counts.set(name, (counts.get(name) ?? 0) + 1);
    assert.deepEqual(Object.fromEntries([...counts].toSorted(([a], [b]) => a.localeCompare(b))), {
      DescribeTaskQueue: 20,
      GetWorkflowExecutionHistoryReverse: 30,
      ListWorkers: 1,
      ListWorkflowExecutions: 2,
    });
  });
});
