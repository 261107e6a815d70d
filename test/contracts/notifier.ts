import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { RotationError, type FailureType } from '../../src/domain/failures.js';
import type { Notifier } from '../../src/notifiers/notifier.js';
import { aNotification } from '../support/notification.js';

/** How the far side can misbehave. */
export type Fault =
  /** Nobody listens. */
  | 'absent'
  /** It takes the connection and says nothing. */
  | 'silent'
  /** It asks to come again later. */
  | 'busy'
  /** It refuses the message for good, repeating in its answer what it was sent. */
  | 'refusing'
  /** It refuses the credentials, repeating them in its answer. */
  | 'distrusting'
  /** The reference to the secret leads nowhere. */
  | 'unresolved';

export interface FarSide {
  /** Notifiers of the kind under test that speak to it. */
  readonly notifier: Notifier;
  /** The messages it took, each as the text that a person gets to see, decoded, markup included. */
  taken(): readonly string[];
  /** What tells a repeated message, where the kind has such a thing. */
  ids?(): readonly string[];
  stop(): Promise<void>;
}

export interface NotifierRow {
  readonly kind: string;
  readonly open: (fault?: Fault) => Promise<FarSide>;
  /** Whatever of this kind's configuration is nobody's business. */
  readonly secrets: readonly string[];
  /** Which faults it can meet, and how it names them. */
  readonly faults: Partial<Readonly<Record<Fault, FailureType>>>;
}

/** The promises of the port `Notifier`, each kind against a real far side on loopback. */
export function notifierContract({ kind, open, secrets, faults }: NotifierRow): void {
  describe(`notifier ${kind}`, () => {
    let far: FarSide | undefined;
    const told: string[] = [];
    const restore: (() => void)[] = [];

    before(() => {
      for (const stream of [process.stdout, process.stderr]) {
        const write = stream.write.bind(stream);
        stream.write = ((chunk: string | Uint8Array, ...rest: []) => {
          told.push(String(chunk));
          return write(chunk, ...rest);
        }) as typeof stream.write;
        restore.push(() => void (stream.write = write));
      }
    });
    afterEach(async () => {
      await far?.stop();
      far = undefined;
    });
    after(() => restore.forEach((undo) => undo()));

    it('hands over title, every line, every command, and who tells it', async () => {
      far = await open();
      const { title, lines, commands, workflow } = aNotification();
      assert.deepEqual(await far.notifier.send(aNotification()), { warnings: [] });
      const [message, ...more] = far.taken();
      assert.deepEqual(more, []);
      for (const text of [title, ...lines, ...commands, workflow!.workflowId])
        assert.ok(message?.includes(text), `"${text}" is missing in: ${message}`);
    });

    it('sends a message as often as it is asked, with the same id each time', async () => {
      far = await open();
      const notification = aNotification();
      await far.notifier.send(notification);
      await far.notifier.send(notification);
      assert.equal(far.taken().length, 2);
      const ids = far.ids?.() ?? [];
      assert.equal(ids[0], ids[1], 'a repeated message cannot be told by its id');
    });

    it('keeps a line break in a foreign name from becoming a line, a header or a message of its own', async () => {
      far = await open();
      const foreign = 'O=Acme\r\nBcc: someone@elsewhere.example\r\n.\r\nMAIL FROM:<x@elsewhere.example>';
      await far.notifier.send(aNotification({ title: `CA (${foreign}) expires`, lines: [`CA (${foreign}) expires`] }));
      const [message, ...more] = far.taken();
      assert.deepEqual(more, []);
      assert.doesNotMatch(message!, /^(bcc:|mail from)/im);
    });

    for (const [fault, type] of Object.entries(faults) as [Fault, FailureType][]) {
      it(`names a far side that is ${fault} ${type}, and keeps every secret to itself`, async () => {
        far = await open(fault);
        const failure = await far.notifier.send(aNotification()).then(
          () => assert.fail('the message was sent'),
          (error: unknown) => error,
        );
        assert.ok(failure instanceof RotationError, inspect(failure));
        assert.equal(failure.type, type, failure.message);
        const everything = [inspect(failure, { depth: 9, showHidden: true }), JSON.stringify(failure), ...told].join();
        for (const secret of secrets) assert.ok(!everything.includes(secret), `"${secret}" shows`);
      });
    }
  });
}
