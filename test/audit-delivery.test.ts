import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { AuditDelivery } from '../src/audit-delivery.js';
import { Journal, brokenLink } from '../src/audit-journal.js';
import type { AuditEvent } from '../src/domain/audit.js';
import type { WebhookPlace } from '../src/notifiers/webhook.js';
import { eventually } from './support/eventually.js';
import { startHttpReceiver, type HttpReceiver } from './support/http-receiver.js';

describe('safety 27: audit events reach a webhook', () => {
  let receiver: HttpReceiver;
  let place: WebhookPlace | undefined;
  let warnings: object[];
  let delivery: AuditDelivery;
  let journal: Journal;

  beforeEach(async () => {
    receiver = await startHttpReceiver();
    place = { url: `${receiver.address}/audit`, timeout: 5000 };
    warnings = [];
    const log = { warn: (fields: object) => void warnings.push(fields) };
    delivery = new AuditDelivery({ webhook: () => place, log, retryMs: 5 });
    journal = new Journal((event) => delivery.take(event));
  });
  afterEach(async () => {
    await delivery.close(0);
    await receiver.stop();
  });

  const write = (count: number) => {
    for (let index = 0; index < count; index += 1)
      journal.write({ event: 'leafDelivered', subject: `target/${index}`, configuration: 'digest' });
  };
  const received = () => receiver.taken.map(({ body }) => (JSON.parse(body) as { data: AuditEvent }).data);
  const taken = (count: number) => eventually(async () => receiver.taken.length === count || undefined);

  it('in their order, so that the chain that is received is unbroken', async () => {
    write(5);
    await taken(5);
    assert.equal(brokenLink(received()), undefined);
    assert.deepEqual(
      received().map(({ subject }) => subject),
      [0, 1, 2, 3, 4].map((index) => `target/${index}`),
    );
    const { version, type, timestamp } = JSON.parse(receiver.taken[0]!.body) as Record<string, unknown>;
    assert.deepEqual([version, type, timestamp], [1, 'audit', received()[0]!.at]);
  });

  it('each until it is taken, with the same id, and none before the one that goes before it', async () => {
    const ids: unknown[] = [];
    receiver.answer = ({ headers }, response) => {
      ids.push(headers['webhook-id']);
      response.writeHead([503, 401, 200][Math.min(ids.length, 3) - 1]!).end();
    };
    write(2);
    await taken(2);
    assert.equal(ids.length, 4);
    assert.equal(new Set(ids.slice(0, 3)).size, 1);
    assert.equal(brokenLink(received()), undefined);
    assert.equal(warnings.length, 2);
  });

  it('signed, where there is a secret', async (test) => {
    const variable = 'TEST_AUDIT_SECRET';
    const secret = randomBytes(32).toString('base64');
    process.env[variable] = secret;
    test.after(() => delete process.env[variable]);
    place = { ...place!, secret: { env: variable } };
    write(1);
    await taken(1);
    const [{ body, headers }] = receiver.taken as [(typeof receiver.taken)[number]];
    assert.deepEqual(new Webhook(secret).verify(body, headers as Record<string, string>), JSON.parse(body));
  });

  it('and a receiver that is down keeps nobody waiting: whoever made the change goes on, and the worker ends', async () => {
    await receiver.stop();
    write(3);
    await eventually(async () => warnings.length > 0 || undefined);
    await delivery.close(20);
    assert.deepEqual(warnings.at(-1), { events: 3 });
    receiver = await startHttpReceiver();
  });

  it('at the address that the configuration has now, and nowhere without one', async () => {
    place = undefined;
    write(1);
    place = { url: `${receiver.address}/later`, timeout: 5000 };
    write(1);
    await taken(1);
    assert.deepEqual(
      receiver.taken.map(({ path }) => path),
      ['/later'],
    );
  });
});
