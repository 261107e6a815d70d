import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { losableFields, withLostFields } from '../../src/cloud/lost-fields.js';
import { restOf } from '../../src/cloud/namespace-spec.js';
import { bytesField, fieldsOf, messageOf } from '../../src/cloud/wire.js';

const text = (number: number, value: string) => bytesField(number, Buffer.from(value));
const message = (number: number, ...fields: ReturnType<typeof text>[]) => bytesField(number, messageOf(fields));

describe('safety 38: fields that tcld has no word for', () => {
  const before = messageOf([
    text(1, 'orders'),
    message(4, text(4, 'ca'), text(98, 'inside')),
    message(6, text(1, 'https://codec'), text(97, 'inside')),
    text(16, 'description'),
    text(99, 'tomorrow'),
    text(99, 'twice'),
  ]);

  it('are put back where they are gone, outside and inside of other fields', () => {
    const after = messageOf([
      text(1, 'orders'),
      message(4, text(4, 'another ca')),
      message(6, text(1, 'https://codec')),
    ]);
    const { spec, restored } = withLostFields(before, after);
    assert.equal(restOf(spec), restOf(before));
    assert.deepEqual(restored, ['16', '99', '4.98', '6.97']);
  });

  it('that somebody gave another value stay as they are', () => {
    const after = messageOf(
      fieldsOf(before).map((field) => (field.number === 16 ? text(16, 'a new description') : field)),
    );
    assert.deepEqual(withLostFields(before, after), { spec: after, restored: [] });
  });

  it('are told from those that it knows: what is gone of them was taken away by somebody', () => {
    const after = messageOf(fieldsOf(before).filter(({ number }) => number !== 6));
    assert.deepEqual(withLostFields(before, after), { spec: after, restored: [] });
    const without = messageOf([...fieldsOf(after), message(6, text(97, 'inside'))]);
    assert.deepEqual(withLostFields(before, without), { spec: without, restored: [] });
  });

  it('are all that is kept of a spec, and enough to put them back', () => {
    const kept = losableFields(before);
    assert.deepEqual(
      fieldsOf(kept).map(({ number }) => number),
      [4, 6, 16, 99, 99],
    );
    assert.ok(!Buffer.from(kept).includes('codec') && !Buffer.from(kept).includes('orders'));
    const after = messageOf([
      text(1, 'orders'),
      message(4, text(4, 'another ca')),
      message(6, text(1, 'https://codec')),
    ]);
    assert.deepEqual(withLostFields(kept, after), withLostFields(before, after));
    assert.equal(losableFields(after).length, 0);
  });

  it('of any number and content are put back, and nothing is left to put back then', () => {
    const field = fc.record({ number: fc.integer({ min: 14, max: 3000 }), content: fc.uint8Array({ maxLength: 20 }) });
    fc.assert(
      fc.property(fc.array(field, { maxLength: 6 }), fc.nat(), (fields, gone) => {
        const all = fields.map(({ number, content }) => bytesField(number, content));
        const removed = new Set(all.filter((_, index) => (gone >> index) % 2).map(({ number }) => number));
        const after = messageOf(all.filter(({ number }) => !removed.has(number)));
        const { spec, restored } = withLostFields(messageOf(all), after);
        assert.equal(restOf(spec), restOf(messageOf(all)));
        assert.deepEqual(new Set(restored.map(Number)), removed);
        assert.deepEqual(withLostFields(messageOf(all), spec).restored, []);
      }),
    );
  });
});
