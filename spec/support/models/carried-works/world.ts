import { AsyncLocalStorage } from 'node:async_hooks';
import { runInTenant, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { EntityManager, helper, type EventSubscriber } from '@mikro-orm/core';
import type { SpecDatabase } from '../../databases/database.ts';
import { migrationsFolder, newClient, openEvolving } from '../../orm/evolving-orm.ts';
import type { SpecOrm } from '../../orm/open-orm.ts';
import { ENTITIES, pockets, type Pocket } from './domain.ts';

const TWINS = ['acme', 'bob'] as const;

export type Twin = (typeof TWINS)[number];

/** What only a tenant's rows have: their texts and most of their keys. */
const MARKS: Readonly<Record<Twin, RegExp>> = { acme: /acme|1100\d\d/i, bob: /bob|2200\d\d/i };

export const FIRST_KEY: Readonly<Record<Twin, number>> = { acme: 110_000, bob: 220_000 };

export const otherOf = (twin: Twin): Twin => (twin === 'acme' ? 'bob' : 'acme');

/** In whose scope the flow is, for what is sent there. */
const flow = new AsyncLocalStorage<{ readonly twin: Twin; readonly sent: string[]; readonly isOwners: boolean }>();

export class World {
  readonly database: SpecDatabase;
  readonly orm: SpecOrm;
  #clean: string;

  static async open(database: SpecDatabase): Promise<World> {
    const folder = await migrationsFolder();
    database.atEnd(() => folder.remove());
    const hooks: EventSubscriber = {};

    for (const name of [
      'onInit',
      'onLoad',
      'beforeCreate',
      'afterCreate',
      'beforeUpdate',
      'afterUpdate',
      'beforeUpsert',
      'afterUpsert',
      'beforeDelete',
      'onFlush',
      'beforeFlush',
      'afterFlush',
    ] as const) {
      (hooks as any)[name] = (args: any) => pockets.getStore()?.hook?.({ event: name, ...args, args });
    }

    const orm = await openEvolving(database, folder.path, Object.values(ENTITIES), {
      config: {
        debug: ['query', 'query-params'],
        colors: false,
        subscribers: [hooks],
        logger: (message: string) => void flow.getStore()?.sent.push(message),
        pool: { max: 6 },
      } as never,
      options: { directory: { listen: false } },
    });
    await orm.schema.create();
    await tenants(orm).createMigration();
    await orm.em.fork().persistAndFlush(TWINS.map(newClient));
    const world = new World(database, orm);
    await world.reset();
    world.#clean = await world.contents();

    return world;
  }

  constructor(database: SpecDatabase, orm: SpecOrm) {
    this.database = database;
    this.orm = orm;
    this.#clean = '';
  }

  /** The rows as they were at first, if they are not. */
  async reset(): Promise<void> {
    const statements = [
      'set synchronous_commit = off',
      ...TWINS.flatMap(twin =>
        ['stamp', 'passport', 'comment', 'pet', 'person_friends', 'person_visited', 'person'].map(table => `delete from ${twin}.${table}`),
      ),
      'delete from public.country',
      `insert into public.country (id, name) values (1, 'shared 1'), (2, 'shared 2')`,
    ];

    for (const twin of TWINS) {
      const key = FIRST_KEY[twin];
      const keys = [1, 2, key + 1, key + 2];
      statements.push(
        ...keys.map(
          each =>
            `insert into ${twin}.person (id, name, email, version, secret, data, country_id, home_street, home_neighbour_id, homes) values (${each}, '${twin} person ${each}', '${twin}${each}@x', 1, '${twin} secret ${each}', '{"of": "${twin}"}', 1, '${twin} street', null, '[{"street": "${twin}", "neighbour": ${keys[0]}}]')`,
        ),
        `update ${twin}.person set mentor_id = ${key + 1}, home_neighbour_id = ${key + 2} where id <> ${key + 1}`,
        `insert into ${twin}.person_friends (person_1_id, person_2_id) values (1, 2), (1, ${key + 1}), (${key + 1}, ${key + 2}), (2, 1)`,
        `insert into ${twin}.person_visited (person_id, country_id) values (1, 1), (${key + 1}, 1), (${key + 2}, 2)`,
        `insert into ${twin}.passport (person_id, name) values (1, '${twin} passport 1'), (${key + 1}, '${twin} passport own')`,
        `insert into ${twin}.stamp (passport_person_id, number, name, by_id) values (1, 1, '${twin} stamp', 1), (${key + 1}, 1, '${twin} stamp', ${key + 2})`,
        `insert into ${twin}.pet (id, kind, name, owner_id, trainer_id) values (1, 'dog', '${twin} dog 1', 1, 1), (2, 'pet', '${twin} pet 2', 1, null), (${key + 1}, 'dog', '${twin} dog own', ${key + 1}, ${key + 2})`,
        `insert into ${twin}.comment (id, name, on_type, on_id) values (1, '${twin} comment', 'person', 1), (${key + 1}, '${twin} comment own', 'person', ${key + 1}), (${key + 2}, '${twin} comment on pet', 'pet', ${key + 1})`,
      );
    }

    // PGlite takes one at a time
    for (const each of this.database.kind === 'pglite' ? statements : [statements.join('; ')]) {
      await this.database.query(each);
    }
  }

  async contents(): Promise<string> {
    const tables = ['person', 'passport', 'stamp', 'pet', 'comment', 'person_friends', 'person_visited'];
    const of = (schema: string): string =>
      `json_build_object(${tables.map(table => `'${table}', (select json_agg(x order by x::text) from "${schema}"."${table}" x)`).join(', ')})`;
    const [row] = await this.database.query(
      `select ${of('acme')}::text as acme, ${of('bob')}::text as bob, (select json_agg(x order by x.id)::text from public.country x) as shared`,
    );

    return JSON.stringify(row);
  }

  /** What is wrong with the rows. */
  async wrongRows(): Promise<readonly string[]> {
    const found = await this.contents();

    if (found === this.#clean) {
      return [];
    }

    const { acme, bob } = JSON.parse(found) as Record<Twin, string>;
    const wrong = MARKS.bob.exec(withoutText(acme)) ?? MARKS.acme.exec(withoutText(bob));

    await this.reset();

    return wrong === null ? [] : [`rows: …${wrong.input.slice(Math.max(0, wrong.index - 120), wrong.index + 60)}…`];
  }

  get clean(): string {
    return this.#clean;
  }

  /** Does work in a tenant's scope, and says what it answered and sent of the other one. */
  async run(twin: Twin, work: (em: TenantEntityManager, pocket: Pocket) => Promise<unknown>, { isOwners = false } = {}): Promise<Told> {
    const sent: string[] = [];
    const pocket: Pocket = {};
    const told: Told = { wrong: [], error: undefined, answer: undefined };

    try {
      told.answer = await flow.run({ twin, sent, isOwners }, () =>
        pockets.run(pocket, () => runInTenant(twin, em => work(em as never, pocket), { orm: this.orm })),
      );
    } catch (error) {
      told.error = error;
    }

    const mark = MARKS[otherOf(twin)];

    if (!isOwners) {
      const statement = sent.find(each => mark.test(withoutText(each)));

      if (statement !== undefined) {
        told.wrong.push(`sent in ${twin}: ${statement.slice(0, 600)}`);
      }

      if (told.error === undefined) {
        const foreign = foreignIn(told.answer, twin);

        if (foreign !== undefined) {
          told.wrong.push(`answered in ${twin}: ${foreign}`);
        }
      }
    }

    return told;
  }
}

interface Told {
  wrong: string[];
  error: unknown;
  answer: unknown;
}

/** What of the answer is the other tenant's. */
function foreignIn(answer: unknown, twin: Twin): string | undefined {
  const mark = MARKS[otherOf(twin)];
  const seen = new Set<object>();
  const look = (value: unknown, path: string, depth: number): string | undefined => {
    if (typeof value === 'string' || typeof value === 'number') {
      return mark.test(withoutText(String(value))) ? `${path} = ${String(value).slice(0, 200)}` : undefined;
    }

    if (typeof value !== 'object' || value === null || seen.has(value) || depth > 9) {
      return undefined;
    }

    seen.add(value);

    if ((helper(value) as { __schema?: string } | undefined)?.__schema === otherOf(twin)) {
      return `${path} is of schema ${otherOf(twin)}`;
    }

    // what was carried leads to its tenant, and is no answer
    if (value instanceof Date || value instanceof EntityManager || ArrayBuffer.isView(value) || isOfKysely(value)) {
      return undefined;
    }

    for (const key of Object.keys(value)) {
      if (!key.startsWith('__') && key !== 'sql') {
        const found = look((value as any)[key], `${path}.${key}`, depth + 1);

        if (found !== undefined) {
          return found;
        }
      }
    }

    return undefined;
  };

  return look(answer, 'answer', 0);
}

/** A part of a query of Kysely names a schema, and says nothing of its rows. */
function isOfKysely(value: { readonly kind?: unknown }): boolean {
  return typeof value.kind === 'string' && value.kind.endsWith('Node');
}

/** Without the text of queries that somebody has stored, in JSON or in a list, or has put into a comment: it names a schema, and says nothing of its rows. */
function withoutText(text: string): string {
  return text.replaceAll(/raw\('[^\n]*?'\)|\\?"sql\\?":\s*\\?"[^\n]*|\{\\*"kind[^\n]*|\\+"(?:acme|bob)\\+"\.|\/\*[^\n]*?\*\//g, '');
}
