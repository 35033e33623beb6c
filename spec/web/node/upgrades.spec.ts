import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { currentSchema, currentTenant } from '@landlord/mikro-orm';
import { tenantContext, tenantUpgrade, type RequestWithTenant, type TenantUpgradeOptions } from '@landlord/mikro-orm/node';
import { expect } from 'chai';
import { WebSocket, WebSocketServer } from 'ws';
import { Genre } from '../../../fixtures/entities/index.ts';
import { until } from '../../support/assertions/until.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { expectIdle } from '../../support/databases/idle-connections.ts';
import { openLibrary, type LibraryOrm } from '../../support/orm/library-orm.ts';
import { authorsHere, createLibraries, hostOf } from '../../support/web/web-library.ts';

onDatabases(
  'upgrades to web sockets',
  database => {
    let orm: LibraryOrm;
    let port: number;
    let stop: () => Promise<unknown>;
    let closed: unknown[] = [];

    before(async () => {
      orm = await openLibrary(database);
      await createLibraries(orm, 'acme', 'bob');
    });

    afterEach(async () => {
      await stop();
      closed = [];
      await expectIdle(database);
    });

    it('E1 S5 each event of a socket is in its tenant’s scope, with an EntityManager of its own', async () => {
      await listen();
      const [acme, bob] = await Promise.all([openSocket(hostOf('acme')), openSocket(hostOf('bob'))]);
      const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => ask(index % 2 === 0 ? acme : bob, String(index))));

      expect(answers.map(({ text }) => text)).to.deep.equal(
        answers.map((_, index) => (index % 2 === 0 ? `${index} acme acme Ann of acme` : `${index} bob bob Ann of bob`)),
      );
      expect(new Set(answers.map(({ em }) => em)).size).to.equal(40);
      acme.close();
      bob.close();
      await until('both are closed', () => closed.length === 2);
      expect(closed).to.have.members(['acme Ann of acme', 'bob Ann of bob']);
      expect(currentTenant()).to.equal(undefined);
    });

    it('E1 H2 H3 an unknown host and a malformed one get the status that a request would get, and no socket', async () => {
      await listen();

      expect(await refusalOf('nobody.example.com')).to.deep.equal([404, 'Nothing is served on the host "nobody.example.com".']);
      expect((await refusalOf('no body'))[0]).to.equal(400);
      expect(closed).to.deep.equal([]);
    });

    it('E3 H6 authorize refuses a socket as an unknown tenant, and what throws is a 500 that says nothing', async () => {
      await listen({ authorize: (_, { schemaName }) => schemaName === 'bob', notFoundStatus: 410 });
      (await openSocket(hostOf('bob'))).close();

      expect((await refusalOf(hostOf('acme')))[0]).to.equal(410);
      await stop();
      await listen({
        resolvers: [
          () => {
            throw new Error('the resolver has failed');
          },
        ],
      });
      const { error } = console;
      const written: unknown[] = [];
      console.error = (...args: unknown[]) => void written.push(...args);

      try {
        expect(await refusalOf(hostOf('acme'))).to.deep.equal([500, 'Internal Server Error']);
      } finally {
        console.error = error;
      }

      expect(written).to.have.length(1);
      expect(written[0]).to.include({ code: 'RESOLVER_FAILED' });
    });

    it('E1 H2 a public host has sockets in the public scope', async () => {
      await listen();
      const socket = await openSocket('localhost');

      expect((await ask(socket, '1')).text).to.equal('1 undefined public ');
      socket.close();
    });

    it('E1 H7 a visitor who hangs up while the tenant is looked up ends nothing', async () => {
      let go: () => void = () => undefined;
      const asked = new Promise<void>(resolve => (go = resolve));
      let isAsked = false;
      await listen({
        resolvers: [
          async () => {
            isAsked = true;
            await asked;

            return { property: 'schemaName', value: 'acme' };
          },
        ],
      });
      const visitor = connect(port, '127.0.0.1');
      visitor.write(
        `GET / HTTP/1.1\r\nHost: ${hostOf('acme')}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      );
      await until('the resolver is asked', () => isAsked);
      // without a listener on the socket, this would end the process
      visitor.resetAndDestroy();
      await once(visitor, 'close');
      await until('the server has seen it', async () => (await openConnections()) === 0);
      go();
      const next = await openSocket(hostOf('acme'));

      expect((await ask(next, 'x')).text).to.contain(' acme Ann of acme');
      next.close();
    });

    let openConnections: () => Promise<number>;

    const ems: unknown[] = [];

    async function listen(options: TenantUpgradeOptions = {}): Promise<void> {
      const sockets = new WebSocketServer({ noServer: true });
      sockets.on('connection', (client, request: RequestWithTenant<IncomingMessage>) => {
        const answer = async (text: string): Promise<void> => {
          const names = currentTenant() === undefined ? (await orm.em.find(Genre, {})).map(({ name }) => name) : await authorsHere(orm);
          ems.push(orm.em.getContext());
          client.send(`${ems.length - 1}:${text} ${request.tenant?.schemaName} ${currentSchema()} ${names.join()}`);
        };
        const close = async (): Promise<void> => {
          closed.push(currentTenant() === undefined ? 'public' : `${currentSchema()} ${(await authorsHere(orm)).join()}`);
        };
        client.on('message', message => void answer((message as Buffer).toString()));
        client.on('close', () => void close());
      });
      const server = createServer(tenantContext((_, res) => void res.end('no socket'), { orm }));
      server.on('upgrade', tenantUpgrade(sockets, { orm, ...options }));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      openConnections = () =>
        new Promise((resolve, reject) => server.getConnections((error, open) => (error ? reject(error) : resolve(open))));
      port = (server.address() as { readonly port: number }).port;
      stop = async () => {
        sockets.clients.forEach(client => client.terminate());
        await new Promise(resolve => server.close(resolve));
      };
    }

    async function openSocket(host: string): Promise<WebSocket> {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host } });
      await once(socket, 'open');
      // each question listens for its own answer
      socket.setMaxListeners(100);

      return socket;
    }

    async function ask(socket: WebSocket, text: string): Promise<{ readonly text: string; readonly em: unknown }> {
      return new Promise(resolve => {
        const hear = (message: unknown): void => {
          const [, em, heard = ''] = /^(\d+):([^]*)$/.exec(String(message)) ?? [];

          if (heard.startsWith(`${text} `)) {
            socket.off('message', hear);
            resolve({ text: heard, em: ems[Number(em)] });
          }
        };
        socket.on('message', hear);
        socket.send(text);
      });
    }

    async function refusalOf(host: string): Promise<readonly [number | undefined, string]> {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host } });
      socket.on('error', () => undefined);
      const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
      let body = '';

      for await (const chunk of answer) {
        body += String(chunk);
      }

      return [answer.statusCode, body];
    }
  },
  ['postgresql', 'pglite'],
);
