import { koaReadsRequestLine } from '../../support/web/koa-urls.ts';
import { expect } from 'chai';
import fc from 'fast-check';
import { forAll } from '../../support/generators/corpus.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { canonicalByRule, hostByRule, hasOneCanonicalForm } from '../../support/generators/host-oracle.ts';
import { hosts, spellingsOf } from '../../support/generators/hosts.ts';
import { openLibrary, type LibraryOrm } from '../../support/orm/library-orm.ts';
import { appThatNamesTheTenant, createNamedTenants } from '../../support/orm/named-tenants.ts';
import { bodyOf, statusOf } from '../../support/web/http.ts';
import { serve, type WebServer } from '../../support/web/web-server.ts';

/** The tenants, and the hosts of the public routes. */
const SERVED: ReadonlyMap<string, string> = new Map([
  ['acme.example.com', 'acme'],
  ['bob.example.com', 'bob'],
  ['xn--bcher-kva.example.com', 'buecher'],
  ['[2001:db8::7]', 'six'],
  ['192.0.2.7', 'four'],
  ['localhost', 'public'],
  ['127.0.0.1', 'public'],
  ['[::1]', 'public'],
]);

// only characters that can be sent: one byte each, and no line breaks
// eslint-disable-next-line no-control-regex -- it is what can be sent
const header = hosts.map(host => host.replaceAll(/[^\u0000-\u00ff]|[\r\n]/g, 'x')).filter(hasOneCanonicalForm);

const known = fc
  .constantFrom(
    ...SERVED.keys(),
    '0xc0.0.2.7',
    '3221225991',
    '192.0.519',
    'b\u00fccher.example.com',
    '[2001:DB8:0:0::7]',
    'ac\u00adme.example.com',
  )
  .chain(spellingsOf);

const port = fc.constantFrom(
  '',
  '',
  ':80',
  ':',
  ':65535',
  ':65536',
  ':80:80',
  ':http',
  ':-1',
  ': 80',
  '/',
  '/path',
  '@bob.example.com',
  ',bob.example.com',
  ' bob.example.com',
);

const value = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(known, port).map(parts => parts.join('')) },
  { weight: 3, arbitrary: header },
  { weight: 1, arbitrary: fc.tuple(header, known).map(parts => parts.join('')) },
);

const space = fc.constantFrom('', ' ', '  ', '\t', ' \t ');

/** A normal request with an odd `Host` header. */
const plain = fc.record({ host: value, before: space, after: space, name: fc.constantFrom('Host', 'host', 'HOST', 'hOsT') });

const target = fc.constantFrom(
  '/',
  '*',
  '//bob.example.com/',
  'http://bob.example.com/',
  'https://bob.example.com:80/x',
  'bob.example.com:80',
  '/?host=bob.example.com',
  'http://acme.example.com/',
  'http://acme.example.com@bob.example.com/',
  'ftp://bob.example.com/',
  'HTTP://BOB.EXAMPLE.COM',
  '',
);

/** Anything that a client may send instead of a request. */
const odd = fc.record({
  method: fc.constantFrom('GET', 'POST', 'HEAD', 'OPTIONS', 'CONNECT', 'PRI', 'get'),
  target,
  version: fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', ''),
  lines: fc.array(
    fc
      .tuple(
        fc.constantFrom('Host', 'host', 'HOST', 'Host ', ' Host', 'X-Forwarded-Host', 'Forwarded', ':authority', 'X-Original-Host'),
        fc.constantFrom(':', ': ', ':\t', ' : ', ''),
        value,
        // obsolete header folding, and bare line breaks
        fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r', '\r\n \r\n', '\r\n bob.example.com\r\n', '\r\n\tbob.example.com\r\n'),
      )
      .map(parts => parts.join('')),
    { maxLength: 3 },
  ),
});

onDatabases(
  'generated Host headers',
  database => {
    let orm: LibraryOrm;
    let server: WebServer;

    before(async () => {
      orm = await openLibrary(database, { migrations: { migrationsList: [] } });
      await createNamedTenants(orm);
      server = await serve(appThatNamesTheTenant(), database);
    });

    it('H3 a request is answered by the tenant of its Host, with 404 where that is nobody’s, and with 400 where it is none', async () => {
      await forAll(
        plain,
        async ({ host, before, after, name }) => {
          database.statements.length = 0;
          const answer = await server.raw(`GET / HTTP/1.1\r\n${name}:${before}${host}${after}\r\nConnection: close\r\n\r\n`);
          const meant = meantBy(host);

          expect(statusOf(answer), JSON.stringify(host)).to.equal(meant === undefined ? 400 : SERVED.has(meant) ? 200 : 404);

          if (meant === undefined) {
            expect(database.statements).to.deep.equal([]);
          } else if (SERVED.has(meant)) {
            expect(bodyOf(answer)).to.equal(SERVED.get(meant));
          }
        },
        500,
      );
    });

    it('H3 whatever is sent, no answer is a 5xx, and none a page of a tenant whose Host was not sent, once', async () => {
      await forAll(
        odd,
        async ({ method, target: url, version, lines }) => {
          const request = `${method} ${url} ${version}\r\n${lines.join('')}Connection: close\r\n\r\n`;
          const answer = await server.raw(request);
          const status = statusOf(answer);

          expect(answer === '' || (status >= 200 && status < 500), JSON.stringify([request, answer])).to.equal(true);

          if (status === 200 && method !== 'HEAD') {
            const sent = request.split(/\r\n|\r|\n/).filter(line => /^host\s*:/i.test(line));
            expect(sent, JSON.stringify(request)).to.have.length(1);
            expect(bodyOf(answer), JSON.stringify(request)).to.equal(
              SERVED.get(meantBy(sent[0]?.replace(/^host\s*:/i, '') as string) ?? ''),
            );
            expectOneHost(answer, request);
          }
        },
        500,
      );
    });

    it('H3 a request whose line has a host is answered by the tenant of both, and with 400 where they are not one', async () => {
      await forAll(
        fc.record({
          scheme: fc.constantFrom('http', 'https', 'HTTP', 'ftp'),
          named: value,
          host: fc.oneof(known, value),
          same: fc.boolean(),
        }),
        async ({ scheme, named, host: other, same }) => {
          // what ends the request line, or an authority, is no part of one
          const authority = named.replaceAll(/[\s/?#]|[^\u0020-\u00ff]/g, '');
          const host = same ? authority : other;
          const request = `GET ${scheme}://${authority}/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
          const answer = await server.raw(request);
          const meant = meantBy(host);
          const isOne = scheme !== 'ftp' && meant !== undefined && meantBy(authority) === meant;
          // Node takes fewer characters than a `Host` may have
          const expected = !isOne ? [400] : [SERVED.has(meant) ? 200 : 404, ...(/^[\w.:[\]-]+$/.test(authority) ? [] : [400])];

          expect(statusOf(answer), JSON.stringify(request)).to.be.oneOf(expected);

          if (statusOf(answer) === 200) {
            expect(bodyOf(answer)).to.equal(SERVED.get(meant as string));
            expectOneHost(answer, request);
          }
        },
        500,
      );
    });

    it('H3 a Host of any length is answered: as nobody’s, as none, or as too large', async () => {
      await forAll(
        fc.tuple(fc.integer({ min: 1, max: 40_000 }), fc.constantFrom('a', 'a.', '1', '[', ':', '\u00fc', 'xn--', '0x')),
        async ([length, piece]) => {
          const answer = await server.raw(`GET / HTTP/1.1\r\nHost: ${piece.repeat(length).slice(0, 40_000)}\r\nConnection: close\r\n\r\n`);

          expect(statusOf(answer)).to.be.oneOf([400, 404, 431]);
        },
        60,
      );
    });
  },
  ['postgresql', 'pglite'],
);

/** That Koa has one host for the request, in the header and in the URL. */
function expectOneHost(answer: string, request: string): void {
  const [host, urlHost] = ['x-host', 'x-url-host'].map(name =>
    decodeURIComponent(new RegExp(`^${name}: (.*)$`, 'mi').exec(answer)?.[1]?.trim() as string),
  );

  const target = request.split(' ')[1];

  // of `*` there is no URL
  if (target?.startsWith('*') !== true && (koaReadsRequestLine || target?.startsWith('/') === true)) {
    expect(meantBy(urlHost as string), JSON.stringify(request)).to.equal(meantBy(host as string));
  }
}

/** The canonical form of what a `Host` means; undefined where it can mean nothing, or two things. */
function meantBy(sent: string): string | undefined {
  const trimmed = sent.replaceAll(/^[ \t]+|[ \t]+$/g, '');

  // these characters are not allowed in any header
  // eslint-disable-next-line no-control-regex -- control characters are what has to be found
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(trimmed)) {
    return undefined;
  }

  const host = hostByRule(trimmed);

  return host === undefined ? undefined : canonicalByRule(host);
}
