import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import forge from 'node-forge';
import { parseDer } from '../../src/x509/der.js';
import * as encode from '../../src/x509/encode.js';

const { asn1 } = forge;
const { Class, Type } = asn1;
const hex = (der: Buffer): string => der.toString('hex');
/** What node-forge writes for the same. */
const forged = (type: number, value: string | forge.asn1.Asn1[], tagClass = Class.UNIVERSAL): string =>
  Buffer.from(asn1.toDer(asn1.create(tagClass, type, Array.isArray(value), value)).getBytes(), 'latin1').toString(
    'hex',
  );

describe('DER as it is written is DER as another encoder writes it', () => {
  it('of every length: short, long, and at the borders between', () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536, 70_000]) {
      const bytes = Buffer.alloc(length, 7);
      assert.equal(hex(encode.octets(bytes)), forged(Type.OCTETSTRING, bytes.toString('latin1')), `${length} octets`);
    }
  });

  it('object identifiers, whatever their arcs', () => {
    const arcs = fc.tuple(
      fc.constantFrom('0', '1', '2'),
      fc.integer({ min: 0, max: 39 }),
      fc.array(fc.oneof(fc.nat(200), fc.nat(2 ** 31 - 1)), { minLength: 1 }),
    );
    fc.assert(
      fc.property(arcs, ([first, second, rest]) => {
        const dotted = [first, second, ...rest].join('.');
        assert.equal(hex(encode.oid(dotted)), forged(Type.OID, asn1.oidToDer(dotted).getBytes()));
        assert.equal(asn1.derToOid(parseDer(encode.oid(dotted)).value as string), dotted);
      }),
    );
  });

  it('integers: minimal, never negative, read as the number that was meant', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 24 }), (bytes) => {
        const value = BigInt(`0x${hex(Buffer.from(bytes))}`);
        const contents = Buffer.from(parseDer(encode.integer(Buffer.from(bytes))).value as string, 'latin1');
        assert.ok(contents[0]! < 0x80);
        assert.equal(BigInt(`0x${hex(contents)}`), value);
        assert.ok(contents.length === 1 || contents[0] !== 0 || contents[1]! >= 0x80, 'not minimal');
      }),
      { examples: [[Uint8Array.of(0)], [Uint8Array.of(0, 0)], [Uint8Array.of(0x80)], [Uint8Array.of(0, 0x7f)]] },
    );
  });

  it('text, bits, flags, nothing, and what holds other elements', () => {
    const text = 'Zürich, 東京';
    assert.equal(hex(encode.utf8(text)), forged(Type.UTF8, Buffer.from(text).toString('latin1')));
    assert.equal(hex(encode.bits(Buffer.of(0b1000_0000), 7)), '03020780');
    assert.equal(hex(encode.boolean(true)) + hex(encode.boolean(false)), '0101ff010100');
    assert.equal(hex(encode.nullValue()), '0500');
    const one = asn1.create(Class.UNIVERSAL, Type.NULL, false, '');
    for (const [type, write] of [
      [Type.SEQUENCE, encode.sequence],
      [Type.SET, encode.set],
    ] as const)
      assert.equal(hex(write(encode.nullValue(), encode.nullValue())), forged(type, [one, one]));
    assert.equal(hex(encode.tagged(3, true, encode.nullValue())), forged(3, [one], Class.CONTEXT_SPECIFIC));
    assert.equal(hex(encode.tagged(2, false, Buffer.from('a'))), forged(2, 'a', Class.CONTEXT_SPECIFIC));
  });

  it('times: UTCTime until the end of 2049, GeneralizedTime from then on', () => {
    const [last, first] = [new Date('2049-12-31T23:59:59.999Z'), new Date('2050-01-01T00:00:00Z')];
    assert.equal(hex(encode.time(last)), forged(Type.UTCTIME, '491231235959Z'));
    assert.equal(hex(encode.time(first)), forged(Type.GENERALIZEDTIME, '20500101000000Z'));
  });
});
