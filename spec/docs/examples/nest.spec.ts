import 'reflect-metadata';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as landlord from '@landlord/mikro-orm';
import { runInTenant, tenantKey, tenants } from '@landlord/mikro-orm';
import { TenantsModule } from '@landlord/mikro-orm/nest';
import { Migration } from '@mikro-orm/migrations';
import * as postgresql from '@mikro-orm/postgresql';
import type { INestApplication, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import * as websockets from '@nestjs/websockets';
import { expect } from 'chai';
import { buildSchema, parse, type ExecutionArgs, type ExecutionResult } from 'graphql';
import { createPubSub } from 'graphql-yoga';
import { WebSocket } from 'ws';
import * as entities from '../../../docs/examples/start/entities.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { until } from '../../support/assertions/until.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { ROOT } from '../../support/orm/library-orm.ts';
import { openOrm, type SpecOrm } from '../../support/orm/open-orm.ts';
import { loadNestModule } from '../../support/web/frameworks/load-nest-module.ts';
import { moduleWith } from '../../support/web/frameworks/nest-applications.ts';

class CreateBook extends Migration {
  override up(): void {
    this.addSql('create table "book" ("id" serial primary key, "title" varchar(255) not null);');
  }
}

const { Book, Client } = entities;

onDatabases(
  'the page on Nest',
  database => {
    let orm: SpecOrm;
    let app: INestApplication | undefined;
    const sockets: WebSocket[] = [];

    before(async () => {
      orm = await openOrm(
        database,
        { tenant: Client, migrations: { migrationsList: [CreateBook] } },
        { entities: [entities.ClientSchema, Book] },
      );
      await orm.schema.create();

      for (const name of ['acme', 'bob', 'empty']) {
        await tenants<entities.Client>(orm).create({ name, schemaName: name, domainUrl: `${name}.example.com` });
      }

      for (const name of ['acme', 'bob']) {
        await runInTenant(name, em => em.persistAndFlush(em.create(Book, { title: `Book of ${name}` })));
      }
    });

    afterEach(async () => {
      sockets.splice(0).forEach(socket => socket.terminate());
      await app?.close();
      app = undefined;
    });

    it('E1 S3 the guard of a gateway and its `handleConnection()` work in the scope of the host that opened the socket', async () => {
      const { BooksGateway } = await loadNestModule<{ readonly BooksGateway: Type }>(sourceOf('gateway.ts'), {
        '@landlord/mikro-orm': landlord,
        '@nestjs/websockets': websockets,
        '../start/entities.js': entities,
        'node:http': {},
      });
      const EntityManagers = { provide: postgresql.EntityManager, useValue: orm.em };
      app = await NestFactory.create(moduleWith([TenantsModule.forRoot()], [], [BooksGateway, EntityManagers as never]), { logger: false });
      app.useWebSocketAdapter(new WsAdapter(app));
      await app.listen(0, '127.0.0.1');
      const heard: Record<string, unknown[]> = {};
      const closed: string[] = [];
      const opened = await Promise.all(['acme', 'bob', 'empty', 'nobody'].map(name => open(name, heard, closed)));

      for (let n = 0; n < 5; n += 1) {
        opened.slice(0, 3).forEach(socket => socket.send(JSON.stringify({ event: 'titles', data: 'Book' })));
      }

      await until('they are answered', () => heard['acme']?.length === 5 && heard['bob']?.length === 5 && closed.includes('nobody'));

      for (const name of ['acme', 'bob']) {
        expect(heard[name]).to.deep.equal(Array(5).fill({ event: 'titles', data: [`Book of ${name}`] }));
      }

      // Nest 12 tells so
      expect(
        heard['empty']?.filter(message => (message as { event?: unknown }).event !== 'exception'),
        'refused by the guard',
      ).to.deep.equal([]);
      expect(closed).to.deep.equal(['nobody']);
    });

    it('E1 S3 subscriptions and queries over a socket are in the scope of its host, each event with an EntityManager of its own', async () => {
      const { operationsOfTenants } = await loadNestModule<{ readonly operationsOfTenants: Operations }>(sourceOf('subscriptions.ts'), {
        '@landlord/mikro-orm': landlord,
        graphql: await import('graphql'),
        'node:http': {},
      });
      const events = createPubSub<Record<string, [{ readonly id: number }]>>();
      const managers = new Set<object>();
      const schema = buildSchema('type Query { titles: [String!]! } type Subscription { added: String! }');
      Object.assign(schema.getQueryType()!.getFields()['titles']!, { resolve: titlesHere });
      Object.assign(schema.getSubscriptionType()!.getFields()['added']!, {
        subscribe: () => events.subscribe(tenantKey('added')),
        resolve: async ({ id }: { readonly id: number }) => {
          managers.add(orm.em.getContext());

          return (await orm.em.findOneOrFail(Book, id)).title;
        },
      });
      const asked = (name: string, query: string): ExecutionArgs => ({
        schema,
        document: parse(query),
        contextValue: { req: { extra: extraOf(name) } },
      });

      for (const name of ['acme', 'bob']) {
        expect(await operationsOfTenants.onConnect({ extra: extraOf(name) })).to.equal(true);
        expect(await operationsOfTenants.execute(asked(name, '{ titles }'))).to.deep.equal({ data: { titles: [`Book of ${name}`] } });
      }

      expect(await operationsOfTenants.onConnect({ extra: extraOf('nobody') })).to.equal(false);
      expect(await failureOf(() => operationsOfTenants.execute(asked('nobody', '{ titles }')))).to.have.property('status', 404);

      const streams = await Promise.all(['acme', 'bob'].map(name => operationsOfTenants.subscribe(asked(name, 'subscription { added }'))));
      const [acme, bob] = streams as [Events, Events];
      const next = [acme.next(), acme.next(), bob.next()];

      for (const [name, title] of [
        ['acme', 'one'],
        ['bob', 'two'],
        ['acme', 'three'],
      ] as const) {
        await runInTenant(name, async em => {
          const book = em.create(Book, { title });
          await em.persistAndFlush(book);
          events.publish(tenantKey('added'), { id: book.id });
        });
      }

      const titles = (await Promise.all(next)).map(({ value }) => (value as ExecutionResult).data?.['added']);
      expect(titles).to.deep.equal(['one', 'three', 'two']);
      expect(managers.size).to.equal(3);
      await Promise.all([acme.return(undefined), bob.return(undefined)]);
    });

    async function titlesHere(): Promise<string[]> {
      return (await orm.em.find(Book, {}, { orderBy: { id: 1 } })).map(({ title }) => title);
    }

    async function open(name: string, heard: Record<string, unknown[]>, closed: string[]): Promise<WebSocket> {
      const { port } = app!.getHttpServer().address() as AddressInfo;
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host: `${name}.example.com` } });
      const messages: unknown[] = [];
      heard[name] = messages;
      sockets.push(socket);
      socket.on('message', message => messages.push(JSON.parse((message as Buffer).toString())));
      socket.on('close', () => closed.push(name));
      await once(socket, 'open');

      return socket;
    }
  },
  ['postgresql'],
);

const extraOf = (name: string): object => ({ request: { headers: { host: `${name}.example.com` }, url: '/graphql' } });

const sourceOf = (file: string): string => readFileSync(join(ROOT, 'docs/examples/nestjs', file), 'utf8');

type Events = AsyncGenerator<ExecutionResult, void, void>;

interface Operations {
  readonly onConnect: (context: { readonly extra: unknown }) => Promise<boolean>;
  readonly execute: (args: ExecutionArgs) => Promise<ExecutionResult>;
  readonly subscribe: (args: ExecutionArgs) => Promise<Events | ExecutionResult>;
}
