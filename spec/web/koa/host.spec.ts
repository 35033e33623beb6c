import { once } from 'node:events';
import { connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { onDatabases } from '../../support/databases/database.ts';
import { openLibrary, type LibraryOrm } from '../../support/orm/library-orm.ts';
import { appThatNamesTheTenant, createNamedTenants } from '../../support/orm/named-tenants.ts';
import { bodyOf, statusOf } from '../../support/web/http.ts';
import { serve, type WebServer } from '../../support/web/web-server.ts';

onDatabases('the Host header', database => {
  let orm: LibraryOrm;
  let server: WebServer;

  before(async () => {
    orm = await openLibrary(database);
    await createNamedTenants(orm);
    server = await serve(appThatNamesTheTenant(), database);
  });

  beforeEach(() => {
    server.errors.length = 0;
    database.statements.length = 0;
  });

  const reaching: Record<string, readonly string[]> = {
    acme: [
      'acme.example.com',
      'ACME.example.COM',
      'acme.example.com:80',
      'acme.example.com:65535',
      'acme.example.com:',
      'acme.example.com.',
      'acme.example.com.:8080',
      'www.acme.example.com',
      'WWW.acme.example.com',
      'wWw.Acme.Example.Com.:443',
    ],
    bob: ['bob.example.com', 'www.bob.example.com', 'WWW.bob.example.com'],
    buecher: ['xn--bcher-kva.example.com', 'XN--BCHER-KVA.example.com:80', 'www.xn--bcher-kva.example.com.', 'b\u00fccher.example.com'],
    six: ['[2001:db8::7]', '[2001:DB8::7]:8080', '[2001:db8:0:0:0:0:0:7]'],
    four: ['192.0.2.7', '192.0.2.7:8080'],
    public: ['localhost', 'LOCALHOST:3000', '127.0.0.1:80', '[::1]', '[0:0:0:0:0:0:0:1]:3000'],
  };

  for (const [name, hosts] of Object.entries(reaching)) {
    it(`H3 reaches ${name} by ${hosts.join(', ')}`, async () => {
      for (const host of hosts) {
        expect(bodyOf(await server.raw(requestTo(host))), host).to.equal(name);
      }
    });
  }

  it('H3 finds nobody on a host that only resembles one', async () => {
    const others = [
      'acme.example.co',
      'xacme.example.com',
      'acme.example.com.evil.test',
      'www.www.acme.example.com',
      'www2.acme.example.com',
      'acme',
      'acme.example',
      'b.acme.example.com',
      'bucher.example.com',
      '[2001:db8::8]',
      '192.0.2.70',
      'public',
    ];

    for (const host of others) {
      expect(statusOf(await server.raw(requestTo(host))), host).to.equal(404);
    }

    expect(database.statements.join('\n')).to.not.match(/author|"(acme|bob|buecher|six|four)"\./);
  });

  it('H3 answers 400 to a Host that is none, before any SQL', async () => {
    const malformed = [
      '',
      ' ',
      '.',
      ':80',
      '..',
      'acme..example.com',
      '.acme.example.com',
      'acme.example.com..',
      'acme.example.com:80:80',
      'acme:example.com',
      'acme.example.com:port',
      'acme.example.com:-1',
      'acme.example.com:65536',
      'acme.example.com:999999',
      'acme.example.com: 80',
      'acme example.com',
      'acme\texample.com',
      "acme' or '1'='1",
      'acme";drop schema "acme',
      'acme.example.com/',
      'acme.example.com/path',
      'http://acme.example.com',
      'acme.example.com?x',
      'acme.example.com#x',
      'acme\\example.com',
      'acme.example.com\\bob.example.com',
      '%61cme.example.com',
      'acme%00.example.com',
      'acme<script>.example.com',
      '-acme.example.com',
      'acme-.example.com',
      '\u0080.example.com',
      `${'a'.repeat(64)}.example.com`,
      `${'a.'.repeat(127)}com`,
      '[',
      ']',
      '[]',
      '[::1',
      '::1',
      '[::1]x',
      '[::1]:x',
      '[::1%eth0]',
      '[fe80::1%25eth0]',
      '[1.2.3.4]',
      '[acme.example.com]',
      '[::1][::1]',
      '999.1.1.1',
    ];

    for (const host of malformed) {
      const answer = await server.raw(requestTo(host));

      expect(statusOf(answer), JSON.stringify(host)).to.equal(400);
      expect(bodyOf(answer), JSON.stringify(host)).to.equal('The Host header of this request is not a valid host name.');
    }

    expect(database.statements).to.have.length(0);
    expect(server.errors).to.have.length(malformed.length);
    expect(server.errors[0]).to.include({ code: 'HOST_INVALID', status: 400, expose: true });
  });

  it('H3 answers 400 to a Host with any character of ASCII that no host name has, and cuts it nowhere', async () => {
    const characters = Array.from({ length: 0x80 }, (_, code) => String.fromCharCode(code)).filter(
      character => !/[\w.\-\r\n]/.test(character),
    );

    for (const character of characters) {
      for (const host of [`acme.example.com${character}x`, `x${character}acme.example.com`]) {
        expect(statusOf(await server.raw(requestTo(host))), JSON.stringify(host)).to.equal(400);
      }
    }

    expect(database.statements).to.have.length(0);
  });

  it('H3 answers 400 to a Host that can be read in two ways', async () => {
    const ambiguous = [
      'acme.example.com, bob.example.com',
      'acme.example.com,',
      'acme.example.com\u00a0',
      '\u00a0acme.example.com',
      'bob.example.com@acme.example.com',
      'user:password@acme.example.com',
      'acme.example.com/@bob.example.com',
      'acme.example.com#@bob.example.com',
      '@acme.example.com',
    ];

    for (const host of ambiguous) {
      expect(statusOf(await server.raw(requestTo(host))), host).to.equal(400);
    }

    const twice = 'GET / HTTP/1.1\r\nHost: acme.example.com\r\nhost: bob.example.com\r\nConnection: close\r\n\r\n';
    expect(statusOf(await server.raw(twice))).to.equal(400);
    expect(database.statements).to.have.length(0);
  });

  it('H3 reads no host out of any other header, by its name or its value', async () => {
    for (const header of ['Host-Id: bob.example.com', 'X-Host: bob.example.com', 'X-Reads: host', 'host2: bob.example.com']) {
      const answer = await server.raw(`GET / HTTP/1.1\r\n${header}\r\nHost: acme.example.com\r\nConnection: close\r\n\r\n`);

      expect(bodyOf(answer), header).to.equal('acme');
    }
  });

  it('H3 goes by the authority of an HTTP/2 request, and answers 400 to one that can be read in two ways', async () => {
    const overHttp2 = createServer((req, res) => void handle(req, res));
    const handle = appThatNamesTheTenant()
      .on('error', () => undefined)
      .callback() as unknown as (req: unknown, res: unknown) => Promise<void>;
    await once(overHttp2.listen(0, '127.0.0.1'), 'listening');
    const client = connect(`http://127.0.0.1:${(overHttp2.address() as AddressInfo).port}`);
    const get = async (authority: string, others: Record<string, string> = {}): Promise<unknown> => {
      const request = client.request({ ':path': '/', ':authority': authority, ...others });
      const [{ ':status': status }] = await once(request, 'response');

      return [status, await text(request)];
    };

    try {
      expect(await get('acme.example.com:443')).to.deep.equal([200, 'acme']);
      expect(await get('nobody.example.com')).to.have.property('0', 404);

      // Node itself refuses a host with user info
      for (const authority of ['acme.example.com,bob.example.com', 'acme.example.com,']) {
        expect(await get(authority), authority).to.have.property('0', 400);
      }

      expect(await get('acme.example.com', { host: 'ACME.example.com.:443' })).to.deep.equal([200, 'acme']);

      for (const host of ['bob.example.com', 'nobody.example.com', 'localhost']) {
        expect(await get('acme.example.com', { host }), host).to.have.property('0', 400);
      }

      // Node itself refuses a path with a host
      const attempt = get('acme.example.com', { ':path': 'http://bob.example.com/' });
      expect(await attempt.catch((error: unknown) => error)).to.have.property('code', 'ERR_HTTP2_STREAM_ERROR');
    } finally {
      client.close();
      await new Promise(resolve => overHttp2.close(resolve));
    }
  });

  it('H3 answers 400 to a request without a Host, also of HTTP/1.0', async () => {
    expect(statusOf(await server.raw('GET / HTTP/1.0\r\n\r\n'))).to.equal(400);
    expect(statusOf(await server.raw('GET / HTTP/1.1\r\nConnection: close\r\n\r\n'))).to.equal(400);
    expect(bodyOf(await server.raw('GET / HTTP/1.0\r\nHost: acme.example.com\r\n\r\n'))).to.equal('acme');
  });

  it('H3 takes no other header for a Host, whatever its length', async () => {
    for (const others of ['From: bob@bob.example.com', 'Date: today', 'A: b', 'Hosts: bob.example.com', 'X-Host: bob.example.com']) {
      const answer = await server.raw(`GET / HTTP/1.1\r\nHost: acme.example.com\r\n${others}\r\nConnection: close\r\n\r\n`);

      expect(bodyOf(answer), others).to.equal('acme');
    }
  });

  it('H3 serves a request whose line has the host of its Host header, in whichever spelling', async () => {
    for (const target of [
      'http://acme.example.com/',
      'http://acme.example.com',
      'HTTP://ACME.example.com.:80/x?y',
      'https://www.acme.example.com:443/',
      'http://acme.example.com?x=http://bob.example.com/',
    ]) {
      expect(bodyOf(await server.raw(requestTo('acme.example.com', target))), target).to.equal('acme');
    }

    expect(bodyOf(await server.raw(requestTo('b\u00fccher.example.com', 'http://xn--bcher-kva.example.com/')))).to.equal('buecher');
    expect(bodyOf(await server.raw(requestTo('[2001:db8::7]', 'http://[2001:DB8:0:0:0:0:0:7]:8080/')))).to.equal('six');
    // a path that looks like a host is a path
    expect(bodyOf(await server.raw(requestTo('acme.example.com', '//bob.example.com/')))).to.equal('acme');
  });

  it('H3 answers 400, before any SQL, to a request whose line has another host than its Host header, or one that can be read in two ways', async () => {
    for (const target of [
      'http://bob.example.com/',
      'HTTPS://bob.example.com:443/',
      'http://nobody.example.com/',
      'http://localhost/',
      'http://bob.example.com@acme.example.com/',
      'http://acme.example.com@bob.example.com/',
      'http://acme.example.com:80@bob.example.com/',
      'http://acme.example.com\\@bob.example.com/',
      'http://bob.example.com\\.acme.example.com/',
      'http://acme.example.com:65536/',
      'http://acme.example.com:http/',
      'http://%61cme.example.com/',
      'http:///acme.example.com/',
      'http://',
      'ftp://acme.example.com/',
      'ftp://bob.example.com/',
      'ws://bob.example.com/',
    ]) {
      expect(statusOf(await server.raw(requestTo('acme.example.com', target))), target).to.equal(400);
    }

    expect(statusOf(await server.raw('GET http://acme.example.com/ HTTP/1.1\r\nConnection: close\r\n\r\n'))).to.equal(400);
    expect(database.statements).to.have.length(0);
  });

  it('H3 opens no tunnel, and answers `OPTIONS *` as a request to its Host', async () => {
    expect(await server.raw('CONNECT bob.example.com:80 HTTP/1.1\r\nHost: acme.example.com\r\nConnection: close\r\n\r\n')).to.equal('');
    expect(bodyOf(await server.raw('OPTIONS * HTTP/1.1\r\nHost: acme.example.com\r\nConnection: close\r\n\r\n'))).to.equal('acme');
  });

  it('H3 H4 holds the request line against the forwarded host behind a proxy, which replaces the Host header', async () => {
    const proxied = await serve(appThatNamesTheTenant({ proxy: true }));
    const forwarded = (target: string): Promise<string> =>
      proxied.raw(`GET ${target} HTTP/1.1\r\nHost: backend.internal\r\nX-Forwarded-Host: acme.example.com\r\nConnection: close\r\n\r\n`);

    try {
      expect(bodyOf(await forwarded('/'))).to.equal('acme');
      expect(bodyOf(await forwarded('http://acme.example.com/'))).to.equal('acme');
      expect(statusOf(await forwarded('http://bob.example.com/'))).to.equal(400);
      expect(statusOf(await forwarded('http://backend.internal/'))).to.equal(400);
    } finally {
      await proxied.close();
    }
  });
});

const requestTo = (host: string, target = '/'): string => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
