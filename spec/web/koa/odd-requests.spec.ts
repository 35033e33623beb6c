import { expect } from 'chai';
import { onDatabases } from '../../support/databases/database.ts';
import { openLibrary, type LibraryOrm } from '../../support/orm/library-orm.ts';
import { appThatNamesTheTenant, createNamedTenants } from '../../support/orm/named-tenants.ts';
import { bodyOf, statusOf } from '../../support/web/http.ts';
import { serve, type WebServer } from '../../support/web/web-server.ts';
import { randomNumbers, randomPick } from '../../support/generators/random.ts';

onDatabases('odd requests', database => {
  let orm: LibraryOrm;
  let server: WebServer;

  before(async () => {
    orm = await openLibrary(database);
    await createNamedTenants(orm);
    server = await serve(appThatNamesTheTenant(), database);
  });

  beforeEach(() => {
    server.errors.length = 0;
  });

  it('H3 never answers an odd Host or URL with a 5xx, nor with the tenant of another', async () => {
    const random = randomNumbers(20_260_101);
    const pick = randomPick(random);
    const odd = (pieces: readonly string[]): string => Array.from({ length: 1 + Math.floor(random() * 5) }, () => pick(pieces)).join('');
    const seen = new Set<number>();

    for (let round = 0; round < 400; round++) {
      const host = odd(HOST_PIECES);
      const url = pick(['/', '/', '*', '', 'http://bob.example.com']) + odd(URL_PIECES);
      const request = `${pick(['GET', 'POST', 'OPTIONS', 'HEAD'])} ${url} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      const answer = await server.raw(request);

      expect(statusOf(answer), JSON.stringify(request)).to.be.within(200, 499);
      seen.add(statusOf(answer));

      if (statusOf(answer) === 200 && bodyOf(answer) !== '' && bodyOf(answer) !== 'public') {
        expect(host.toLowerCase(), JSON.stringify(request)).to.include(TELLING[bodyOf(answer)]);
      }
    }

    expect([...seen]).to.include.members([200, 400, 404]);
    expect(server.errors.filter(error => (error as { status?: number }).status === undefined)).to.deep.equal([]);
  });
});

/** The part that every `Host` contains that reaches the tenant. */
const TELLING: Record<string, string> = { acme: 'acme', bob: 'bob', buecher: 'cher', six: '2001:', four: '192.0.2.7' };

const HOST_PIECES = [
  'acme.example.com',
  'bob.example.com',
  '[2001:db8::7]',
  '192.0.2.7',
  'localhost',
  'www.',
  'WWW.',
  'b\u00fccher',
  'xn--',
  'xn--bcher-kva',

  '.',
  '..',
  ':',
  ':80',
  ':0',
  ':65536',
  '[',
  ']',
  '@',
  ',',
  '%',
  '%00',
  '/',
  '\\',
  '?',
  '#',
  '"',
  "'",
  ';',
  '--',
  '_',
  '*',
  ' ',
  '\t',
  '|',
  '^',

  '\u0080',
  '\u00ff',
  '\u00ad',
  '\u00df',
  '\u00a0',
  '0x7f',
  '1e3',
  '\u00e2\u0080\u008b',
  '\u00c0\u00ae',
  '$(id)',
  '{{7*7}}',
  '<b>',
  'constructor',
  '__proto__',
  'a'.repeat(63),
  'a'.repeat(64),
  'a.'.repeat(130),
  '1',
  '-',
  'com',
];

const URL_PIECES = [
  '/',
  '//',
  '..',
  '%',
  '%zz',
  '%00',
  '%2f',
  '?',
  '#',
  '&',
  '=',
  ':',
  '@',
  'acme',
  '[',
  ']',
  ';',
  '*',
  '\\',
  '\u00ff',
  'x'.repeat(500),
];
