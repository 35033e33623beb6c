import 'reflect-metadata';
import { once } from 'node:events';
import { currentSchema, runInPublic, runInTenant } from '@landlord/mikro-orm';
import { TenantInterceptor, TenantsModule } from '@landlord/mikro-orm/nest';
import { Controller, Get, Sse, UseInterceptors, type Type } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { expect } from 'chai';
import { filter, from, map, Observable, Subject, switchMap, timer } from 'rxjs';
import { WebSocket } from 'ws';
import { until } from '../../support/assertions/until.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { openLibrary, type LibraryOrm } from '../../support/orm/library-orm.ts';
import { decorate } from '../../support/web/frameworks/decorate.ts';
import { moduleWith, nestApplications } from '../../support/web/frameworks/nest-applications.ts';
import { open } from '../../support/web/http.ts';
import { authorsHere, createLibraries, hostOf } from '../../support/web/web-library.ts';

/** How the authors are read when somebody has sent a word. */
const READINGS: Readonly<Record<string, (words: Observable<string>, orm: LibraryOrm) => Observable<unknown>>> = {
  'in a function that maps': (words, orm) => words.pipe(switchMap(() => authorsHere(orm))),
  'after a pause': (words, orm) => words.pipe(switchMap(() => timer(5).pipe(switchMap(() => authorsHere(orm))))),
  'in an observable of its own': (words, orm) => words.pipe(switchMap(() => from([1, 2]).pipe(switchMap(() => authorsHere(orm))))),
};

onDatabases('values that a handler of Nest goes on to send', database => {
  let orm: LibraryOrm;
  /** How many have subscribed in this spec. */
  let listeners = 0;
  let refusals = 0;
  const closings: (() => unknown)[] = [];

  // an application waits for its visitors, so they go first
  afterEach(() => {
    closings.splice(0).forEach(close => close());
    [listeners, refusals] = [0, 0];
  });

  const { start, portOf, get } = nestApplications();

  before(async () => {
    orm = await openLibrary(database, { publicHosts: ['localhost'] });
    await createLibraries(orm, 'acme', 'bob');
  });

  for (const adapter of ['Express', 'Fastify'] as const) {
    for (const [title, read] of Object.entries(READINGS)) {
      it(`E1 S3 what is read when another tenant has sent an event reaches no stream of server-sent events: ${title}, on ${adapter}`, async () => {
        const words = new Subject<string>();
        await start(moduleWith([TenantsModule.forRoot({ orm })], [controllerOf(words, read(words, orm))]), adapter);
        const streams = await Promise.all([hostOf('acme'), hostOf('bob'), 'localhost'].map(host => streamOf(host)));
        const [acme, bob, visitor] = streams as [Stream, Stream, Stream];
        await until('all listen', () => words.observed && listeners === 3);

        await get(hostOf('acme'), '/send');
        await until('acme has heard', () => acme.text().includes('Ann of acme'));
        await until('the others have ended', () => bob.hasEnded() && visitor.hasEnded());

        expect(bob.text()).to.not.contain('acme');
        expect(visitor.text()).to.not.contain('acme');
      });
    }

    it(`E1 S3 a stream passes on what its tenant, the public scope and its own work in other scopes send, on ${adapter}`, async () => {
      const words = new Subject<string>();
      const own = words.pipe(
        filter(() => currentSchema() !== 'acme'),
        map(word => `${word} in ${currentSchema() ?? 'none'}`),
      );
      await start(moduleWith([TenantsModule.forRoot({ orm })], [controllerOf(words, own)]), adapter);
      const bob = await streamOf(hostOf('bob'));
      await until('it listens', () => listeners === 1);
      await get(hostOf('acme'), '/send');
      await get(hostOf('bob'), '/send');
      await runInTenant('bob', () => words.next('job'), { orm });
      await runInPublic(() => words.next('all'), { orm });
      words.next('somebody');
      await until('it has heard', () => bob.text().includes('somebody'));

      expect(bob.text().match(/data: .*/g)).to.deep.equal([
        'data: word in bob',
        'data: job in bob',
        'data: all in public',
        'data: somebody in none',
      ]);
      expect((await get('localhost', '/nested')).body).to.equal('["Ann of bob"]');
    });
  }

  it('E1 S3 an event that another tenant has sent reaches no socket of a gateway', async () => {
    const words = new Subject<string>();
    const answers = words.pipe(
      switchMap(() => authorsHere(orm)),
      map(data => ({ event: 'names', data })),
    );
    await start(moduleWith([TenantsModule.forRoot({ orm })], [], [gatewayOf(answers)]), 'Express', created =>
      created.useWebSocketAdapter(new WsAdapter(created)),
    );
    const sockets = await Promise.all(
      ['acme', 'bob'].map(async name => {
        const socket = new WebSocket(`ws://127.0.0.1:${portOf()}/`, { headers: { host: hostOf(name) } });
        closings.push(() => socket.terminate());
        await once(socket, 'open');

        return socket;
      }),
    );
    const heard = sockets.map(socket => {
      const messages: string[] = [];
      socket.on('message', message => {
        const text = (message as Buffer).toString();

        // Nest 12 sends it
        if (text.includes('"event":"exception"')) {
          refusals += 1;
        } else {
          messages.push(text);
        }
      });
      socket.send(JSON.stringify({ event: 'listen' }));

      return messages;
    });
    await until('both listen', () => listeners === 2);
    await runInTenant('acme', () => words.next('word'), { orm });
    await until('one has heard and the other was refused', () => heard[0]?.length === 1 && refusals === 1);

    expect(heard).to.deep.equal([[JSON.stringify({ event: 'names', data: ['Ann of acme'] })], []]);
  });

  function counted(values: Observable<unknown>): Observable<unknown> {
    return new Observable(subscriber => {
      listeners += 1;

      return values.subscribe(subscriber);
    });
  }

  function controllerOf(words: Subject<string>, events: Observable<unknown>): Type {
    class EventsController {
      events(): Observable<object> {
        return counted(events).pipe(map(data => ({ data })));
      }

      send(): void {
        words.next('word');
      }

      nested(): Observable<unknown> {
        return new Observable(subscriber => {
          void runInTenant(
            'bob',
            async () => {
              subscriber.next(await authorsHere(orm));
              subscriber.complete();
            },
            { orm },
          );
        });
      }
    }

    decorate(EventsController, [Controller()], { events: [Sse('events')], send: [Get('send')], nested: [Get('nested')] });

    return EventsController;
  }

  function gatewayOf(answers: Observable<unknown>): Type {
    class EventsGateway {
      handleConnection(client: NodeJS.EventEmitter & { request?: unknown }, request: unknown): void {
        client.request = request;
        // by which Nest 11 tells a client of an error; with `ws` it goes nowhere
        client.on('exception', () => (refusals += 1));
      }

      listen(): Observable<unknown> {
        return counted(answers);
      }
    }

    decorate(EventsGateway, [WebSocketGateway(), UseInterceptors(TenantInterceptor)], { listen: [SubscribeMessage('listen')] });

    return EventsGateway;
  }

  async function streamOf(host: string): Promise<Stream> {
    const response = await open({ port: portOf(), path: '/events', headers: { host } });
    closings.push(() => response.destroy());
    let text = '';
    let hasEnded = false;
    response.setEncoding('utf8').on('data', (part: string) => (text += part));
    response.on('close', () => (hasEnded = true));

    return { text: () => text, hasEnded: () => hasEnded };
  }
});

interface Stream {
  readonly text: () => string;
  readonly hasEnded: () => boolean;
}
