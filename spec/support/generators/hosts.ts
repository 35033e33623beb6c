import fc from 'fast-check';
import { anyText } from './corpus.ts';
import { hasOneCanonicalForm } from './host-oracle.ts';

const ascii = fc.string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789_-'.split('')), minLength: 1, maxLength: 10 });

const foreign = fc.constantFrom(
  'bücher',
  'BÜCHER',
  'bu\u0308cher',
  'straße',
  'STRASSE',
  'faß',
  '例え',
  'テスト',
  'ישראל',
  'مثال',
  'пример',
  'аррӏе',
  'नेपाल',
  '💩',
  '\u212aelvin',
  '\u0130stanbul',
  'ｅｘ',
  '\u017fs',
  '\ufb01n',
  'a\u00adb',
  'a\u200db',
  'क\u094d\u200dष',
  '①',
  '℀',
  '½',
  '\u0301a',
  '一',
  '︒',
);

const punycode = fc.oneof(
  fc.constantFrom('xn--bcher-kva', 'XN--BCHER-KVA', 'xn--zca', 'xn--fa-hia', 'xn--r8jz45g', 'xn--zckzah', 'xn--80ak6aa92e'),
  // mostly invalid
  ascii.map(text => `xn--${text}`),
);

const label = fc.oneof(
  { weight: 6, arbitrary: ascii },
  { weight: 2, arbitrary: foreign },
  { weight: 2, arbitrary: punycode },
  { weight: 1, arbitrary: fc.integer({ min: 61, max: 65 }).map(length => 'a'.repeat(length)) },
  { weight: 1, arbitrary: fc.constantFrom('', '-', 'www', 'WWW', 'ｗｗｗ', 'a-', '-a', '*', 'a b') },
);

const dot = fc.oneof({ weight: 12, arbitrary: fc.constant('.') }, { weight: 1, arbitrary: fc.constantFrom('。', '．', '｡', '..') });

const name = fc
  .array(fc.tuple(label, dot), { minLength: 1, maxLength: 6 })
  .map(parts => parts.map(([text, separator], index) => (index === parts.length - 1 ? text : text + separator)).join(''));

const octet = fc
  .oneof(fc.nat(255), fc.nat(300), fc.nat(2 ** 32))
  .chain(number =>
    fc.constantFrom(
      String(number),
      `0x${number.toString(16)}`,
      `0X${number.toString(16).toUpperCase()}`,
      `0${number.toString(8)}`,
      `0x`,
      '08',
    ),
  );

const v4 = fc.oneof(
  fc.array(octet, { minLength: 1, maxLength: 5 }).map(parts => parts.join('.')),
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.constantFrom(
    '0x7f.1',
    '127.1',
    '2130706433',
    '017700000001',
    '0x7f000001',
    '１２７.0.0.1',
    '127.0.0.1.',
    '1.2.3.4.5',
    'a.1',
    '1.a',
    '1e3',
  ),
);

const v6 = fc.oneof(
  fc.ipV6().map(address => `[${address}]`),
  fc.ipV6().map(address => `[${address.toUpperCase()}]`),
  fc.ipV6(),
  fc
    .array(fc.constantFrom('0', '1', 'db8', 'FFFF', '0000', '10000', '', 'g'), { minLength: 6, maxLength: 9 })
    .map(parts => `[${parts.join(':')}]`),
  fc.constantFrom(
    '[fe80::1%eth0]',
    '[fe80::1%25eth0]',
    '[::ffff:192.0.2.7]',
    '[::ffff:192.0.2.07]',
    '[::1',
    '[]',
    '[::]',
    '[1.2.3.4]',
    '[::1]x',
    '[[::1]]',
    '[v1.a]',
  ),
);

const edge = fc.constantFrom(
  '',
  '.',
  '..',
  'http://',
  'https://',
  '//',
  '/',
  '/path',
  '\\',
  '?q',
  '#x',
  ':80',
  ':',
  ':80:80',
  ':65536',
  ':http',
  ': 80',
  'user@',
  'user:password@',
  '@',
  '%',
  '%61',
  '%00',
  '%2e',
  ',',
  ', ',
  ' ',
  '\t',
  '\0',
  '\u3000',
  '\u00a0',
  '／',
  '＠',
  '：80',
  '。',
  '"',
  "'",
  ';',
  '*',
);

/** Hosts, and failed attempts at one. */
export const hosts: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 6, arbitrary: name },
    { weight: 2, arbitrary: v4 },
    { weight: 2, arbitrary: v6 },
    { weight: 3, arbitrary: fc.tuple(edge, fc.oneof(name, v4, v6), edge).map(parts => parts.join('')) },
    { weight: 1, arbitrary: fc.integer({ min: 60, max: 70 }).map(length => Array.from({ length }, () => 'abc').join('.')) },
    { weight: 1, arbitrary: anyText },
  )
  .filter(hasOneCanonicalForm);

/** Different spellings of the same host. */
export const spellingsOf = (host: string): fc.Arbitrary<string> =>
  fc
    .tuple(fc.mixedCase(fc.constant(host)), fc.constantFrom('', 'www.', 'WWW.', 'wWw.'), fc.constantFrom('', '.'))
    .map(([text, prefix, suffix]) => prefix + text + suffix);
