import { domainToASCII } from 'node:url';
import { expect } from 'chai';
import { canonicalHostname, withoutPort } from '../../dist/tenant/hostname.js';

const STRIPPED = { stripWww: true };
const KEPT = { stripWww: false };

describe('canonicalHostname', () => {
  const canonical: readonly (readonly [host: string, expected: string])[] = [
    ['acme.example.com', 'acme.example.com'],
    ['ACME.Example.COM', 'acme.example.com'],
    ['acme.example.com.', 'acme.example.com'],
    ['localhost', 'localhost'],
    ['127.0.0.1', '127.0.0.1'],
    ['_srv.acme_1.example.com', '_srv.acme_1.example.com'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['BÜCHER.example', 'xn--bcher-kva.example'],
    ['bu\u0308cher.example', 'xn--bcher-kva.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['例え。テスト', 'xn--r8jz45g.xn--zckzah'],
    ['ｅxample.com', 'example.com'],
    ['[::1]', '[::1]'],
    ['[0:0:0:0:0:0:0:1]', '[::1]'],
    ['[2001:DB8::A]', '[2001:db8::a]'],
    [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
  ];

  for (const [host, expected] of canonical) {
    it(`T13 H3 makes ${JSON.stringify(host)} ${expected}, and leaves that as it is`, () => {
      expect(canonicalHostname(host, STRIPPED)).to.equal(expected);
      expect(canonicalHostname(expected, STRIPPED)).to.equal(expected);
    });
  }

  it('T13 H3 leaves a host as it is that is canonical already, as the conversion would: of 50,000 made-up ones', () => {
    const parts = [
      'a',
      'z',
      '0',
      '9',
      '-',
      '--',
      '_',
      '.',
      'xn--',
      'xn--a',
      '0x',
      '1',
      'www.',
      'www',
      'xn--bcher-kva',
      'ab--cd',
      '\u00fc',
      'A',
    ];
    let taken = 0;

    for (let n = 0; n < 50_000; n += 1) {
      const host = Array.from({ length: 1 + (n % 8) }, () => parts[Math.floor(Math.random() * parts.length)]).join('');
      const canonicalHost = canonicalHostname(host, KEPT);

      if (canonicalHost === host) {
        taken += 1;
        expect(domainToASCII(host), host).to.equal(host);
        expect(host).to.match(/^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/);
      }
    }

    expect(taken).to.be.greaterThan(5_000);
  });

  it('T13 H3 takes one leading www. off, in any case, where asked', () => {
    expect(canonicalHostname('www.acme.example', STRIPPED)).to.equal('acme.example');
    expect(canonicalHostname('WwW.acme.example.', STRIPPED)).to.equal('acme.example');
    expect(canonicalHostname('ｗｗｗ.acme.example', STRIPPED)).to.equal('acme.example');
    expect(canonicalHostname('WWW.acme.example', KEPT)).to.equal('www.acme.example');
    expect(canonicalHostname('www', STRIPPED)).to.equal('www');
    expect(canonicalHostname('www.www.acme.example', STRIPPED)).to.equal('www.www.acme.example');
    expect(canonicalHostname('wwwacme.example', STRIPPED)).to.equal('wwwacme.example');
    expect(canonicalHostname('acme.www.example', STRIPPED)).to.equal('acme.www.example');
  });

  const refused = [
    '',
    '.',
    '..',
    ' ',
    'a b',
    ' acme',
    'acme ',
    'acme\n',
    'acme\t',
    'acme\u0000',
    'acme\u007f',
    'http://acme',
    'acme/path',
    'acme\\path',
    'acme?q',
    'acme#x',
    'acme:80',
    'user@acme',
    'acm%65',
    '*.acme',
    'a..b',
    '.acme',
    'acme..',
    '-acme',
    'acme-',
    'acme,bob',
    'a"b',
    "a'b",
    'a;b',
    '[::1',
    '::1',
    '[::1]:80',
    '[acme]',
    '[fe80::1%eth0]',
    '[]',
    'acme\u3002',
    '\u2460.\u00ad',
    '127.0.0.1\u3002\u200b\ufe00',
    'acme／path',
    'acme＼path',
    'acme？q',
    'acme＃x',
    'acme：80',
    'user＠acme',
    'acm％65',
    'acme[1]',
    'acme^',
    'acme`',
    'acme|bob',
    'acme{',
    '127.0.0.1..',
    '127.0.0.1\u3002',
    'xn--a.example',
    'xn--.example',
    'xn---l5a.example',
    'xn--a\u00fc.example',
    `${'a'.repeat(64)}.example`,
    Array.from({ length: 64 }, () => 'abc').join('.'),
  ];

  for (const host of refused) {
    it(`T13 H3 takes ${JSON.stringify(host.slice(0, 40))} for no host name`, () => {
      expect(canonicalHostname(host, STRIPPED)).to.equal(undefined);
    });
  }
});

describe('withoutPort', () => {
  it('H3 takes the port off, of a name and of an address', () => {
    expect(withoutPort('acme.example')).to.equal('acme.example');
    expect(withoutPort('acme.example:8080')).to.equal('acme.example');
    expect(withoutPort('acme.example:')).to.equal('acme.example');
    expect(withoutPort('acme.example:65535')).to.equal('acme.example');
    expect(withoutPort('[::1]')).to.equal('[::1]');
    expect(withoutPort('[::1]:8080')).to.equal('[::1]');
  });

  it('H3 refuses what is no port', () => {
    for (const host of ['acme:http', 'acme:65536', 'acme:-1', 'acme:80:80', 'acme:123456', '::1', '[::1]8080', 'acme: 80']) {
      expect(withoutPort(host), host).to.equal(undefined);
    }
  });
});
