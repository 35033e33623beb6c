import fc from 'fast-check';
import { REPLAY } from './property.ts';

/** `FC_SEED=… npm test` repeats the generated values of a run. */
export const SEED = REPLAY.seed ?? Date.now() % 0x7fffffff;

console.log(`  seed of the values of this file: ${SEED}`);

/** Checks a law on generated values, and reports the values. A failure is shrunk to the smallest value that still fails. */
export async function forAll<T>(arbitrary: fc.Arbitrary<T>, law: (value: T) => unknown, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(arbitrary, async value => {
      await law(value);
    }),
    { seed: SEED, numRuns, endOnFailure: false },
  );
}

/** Text of any kind: every class of Unicode, lone surrogates, control characters, and lookalikes of letters. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  // the unit `binary` takes a second of every process to set up
  fc.array(fc.integer({ min: 0, max: 0x10_ff_ff }), { maxLength: 70 }).map(points => String.fromCodePoint(...points)),
  fc.string({ unit: 'grapheme', maxLength: 70 }),
  // code units, so that surrogates stand alone
  fc.array(fc.integer({ min: 0, max: 0xff_ff }), { maxLength: 20 }).map(units => String.fromCharCode(...units)),
  fc.string({ unit: fc.constantFrom(...SPECIAL()), maxLength: 12 }),
);

/** Creates the value on demand, because fast-check inspects every generated value, and some of these throw when inspected. */
export type LazyValue = () => unknown;

export const lazily = (value: unknown): LazyValue => Object.assign(() => value, { [fc.toStringMethod]: () => fc.stringify(value) });

/** Values that resemble strings, but are not. */
export const nonText: fc.Arbitrary<LazyValue> = fc.oneof(
  fc
    .anything({ withBigInt: true, withNullPrototype: true, withDate: true, withBoxedValues: true })
    .filter(value => typeof value !== 'string')
    .map(lazily),
  fc.constantFrom<LazyValue>(
    () => new String('acme'),
    () => ['acme'],
    () => ({ toString: () => 'acme' }),
    () => ({ toJSON: () => 'acme' }),
    () => ({ [Symbol.toPrimitive]: () => 'acme' }),
    () => Symbol('acme'),
    () => 10n,
    () => Number.NaN,
    () => new Proxy(new String('acme'), {}),
    () => new Proxy({}, { get: () => raise(), ownKeys: () => raise(), getPrototypeOf: () => raise() }),
    () => Proxy.revocable({}, {}).proxy,
    () => revoked(),
    () => Object.assign(Object.create(null) as object, { length: 4 }),
    () => cyclic(),
    () => /acme/,
    () => () => 'acme',
  ),
);

function SPECIAL(): string[] {
  return [
    '"',
    "'",
    ';',
    '\\',
    '--',
    '/*',
    '*/',
    '$$',
    '$1',
    '?',
    '??',
    '%',
    '`',
    '.',
    ' ',
    '\t',
    '\n',
    '\r',
    '\0',
    '\v',
    '\u001b',
    '\u0085',
    // K of Kelvin and dotted I, which fold to ASCII letters; long s, sharp s, ligature, dotless i
    '\u212a',
    '\u0130',
    '\u017f',
    '\u00df',
    '\ufb01',
    '\u0131',
    // letters and digits of other scripts and widths that look like ASCII
    '\u0430',
    '\u03bf',
    '\uff41',
    '\uff10',
    '\u0660',
    '\u{1d41a}',
    '\u2460',
    '\uff3f',
    '\u203f',
    // zero width, direction, byte order mark, soft hyphen, combining
    '\u200b',
    '\u200d',
    '\u202e',
    '\ufeff',
    '\u00ad',
    '\u0301',
    '\u00a0',
    '\u2028',
    '\u3000',
    '\ud800',
    '\udc00',
    '\uffff',
    '\u{10ffff}',
    '\u{1f600}',
    'a',
    'z',
    '_',
    '0',
    '9',
    'A',
    'Z',
    'acme',
    'bob',
    'pg_',
    'public',
    'drop schema acme cascade',
  ];
}

function raise(): never {
  throw new Error('not to be read');
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();

  return proxy;
}

function cyclic(): unknown {
  const value: unknown[] = [];
  value.push(value);

  return value;
}
