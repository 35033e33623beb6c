import {
  acrossTenants,
  forEachTenant,
  runInPublic,
  runInTenant,
  TenantStateMixin,
  tenants,
  type TenantEntityManager,
  type TenantService,
} from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { sqlStateOf } from '../assertions/failure.ts';
import { randomPick } from '../generators/random.ts';
import { CreateNote, Note } from '../orm/note-orm.ts';
import type { SpecOrm } from '../orm/open-orm.ts';

export class Estate extends TenantStateMixin {}
defineEntity({ class: Estate, extends: TenantStateMixin, properties: {} });

class IndexNotes extends Migration {
  override up(): void {
    this.addSql('create index "note_text" on "note" ("text")');
  }

  override down(): void {
    this.addSql('drop index "note_text"');
  }
}

export const ESTATES = { tenant: Estate, migrations: { migrationsList: [CreateNote, IndexNotes] } };

/** What a step is done to and with. `kept` are rows that were loaded before, which may be old. */
interface Life {
  readonly orm: SpecOrm;
  readonly service: TenantService<Estate>;
  readonly kept: Map<string, Estate>;
}

type Work = (em: TenantEntityManager, text: string, other: string, life: Life) => Promise<unknown>;

/** What can be done in a scope. */
const WORKS: Readonly<Record<string, Work>> = {
  insert: async (em, text) => em.insert(Note, { text }),
  persist: async (em, text) => {
    em.create(Note, { text } as never);
    await em.flush();
  },
  'insert of a key that is there': em => em.insert(Note, { id: 1, text: 'taken' }),
  'insert of none': em => em.execute(`insert into note (text) values (null)`),
  update: (em, text) => em.nativeUpdate(Note, { id: { $lte: 2 } }, { text }),
  'update of what was loaded': async (em, text) => {
    const [note] = await em.find(Note, {}, { orderBy: { id: 'asc' } });
    Object.assign(note ?? {}, { text });
    await em.flush();
  },
  delete: em => em.nativeDelete(Note, { id: 1 }),
  find: async em => (await em.find(Note, {}, { orderBy: { id: 'asc' }, disableIdentityMap: true })).map(({ id, text }) => [id, text]),
  count: em => em.count(Note, {}),
  'count by a query builder': em => em.qb(Note).getCount(),
  'raw SQL': em => em.execute('select id, text from note order by id'),
  Kysely: em => em.getKysely<{ note: Note }>().selectFrom('note').select(['id', 'text']).orderBy('id').execute(),
  'a division by zero': em => em.execute('update note set id = id / 0'),
  'a table that is not there': em => em.execute('select * from nothing'),
  'find in another tenant': (em, _, other) => em.find(Note, {}, { schema: other }),
  'a rename in the scope': (_em, _, other, { service }) => service.rename(other, `${other}x`),
  'a rename meanwhile': (em, text, other, { service }) =>
    runInPublic(async () => service.rename(em.schema ?? '', other)).then(() => em.insert(Note, { text })),
  'its own row': async (em, text) => {
    const row = await em.findOneOrFail(Estate, { schemaName: em.schema } as never);
    Object.assign(row, { domainUrl: `${text}.example.net` });
    await em.flush();
  },
  throws: async () => {
    throw new Error('thrown');
  },
};

const IN_TURN = Object.keys(WORKS);

/** How works are put together. */
const PLANS: Readonly<
  Record<string, (em: TenantEntityManager, works: readonly ((em: TenantEntityManager) => Promise<unknown>)[]) => Promise<unknown>>
> = {
  'one after the other': (em, works) => eachOf(em, works),
  'in a transaction': (em, works) => em.transactional(tx => eachOf(tx, works)),
  'in a transaction that goes on after errors': (em, works) => em.transactional(tx => eachOf(tx, works.map(tried))),
  'in savepoints': (em, works) =>
    em.transactional(tx =>
      eachOf(
        tx,
        works.map(work => tried(inner => inner.transactional(work))),
      ),
    ),
  'in a fork': (em, works) => eachOf(em.fork({ keepTransactionContext: true }), works.map(tried)),
};

/** What can be done to tenants, and with them. */
const STEPS: Readonly<Record<string, (life: Life, draw: Draw) => Promise<unknown>>> = {
  create: async ({ service, kept }, { name, text }) => {
    kept.set(name, await service.create({ schemaName: name, domainUrl: `${text}.example.com` }));
  },
  'create without a schema': async ({ service }, { name, text }) => {
    await service.create({ schemaName: name, domainUrl: `${text}.example.com` }, { autoCreateSchema: false });
  },
  provision: ({ service }, { name }) => service.provision(name),
  rename: ({ service }, { name, other }) => service.rename(name, other),
  swap: ({ service, orm }, { name, other }) =>
    runInPublic(
      em =>
        em.transactional(async () => {
          await service.rename(name, 'between');
          await service.rename(other, name);
          await service.rename('between', other);
        }),
      { orm },
    ),
  drop: ({ service }, { name }) => service.drop(name),
  'drop softly': ({ service }, { name }) => service.drop(name, { soft: true }),
  restore: async ({ service }, { name }) => (await service.restore(name)).schemaName,
  'restore under another name': async ({ service }, { name, other, text }) =>
    (await service.restore(name, { schemaName: other, domainUrl: `${text}.example.com` })).schemaName,
  purge: async ({ service }) => {
    const { purged, failed } = await service.purge();

    return [purged.map(({ schemaName }) => schemaName), failed.length];
  },
  clone: async ({ service }, { name, other, text }) =>
    (await service.clone(name, { schemaName: other, domainUrl: `${text}.example.com` })).schemaName,
  suspend: ({ orm }, { name }) => setState(orm, name, 'suspended'),
  activate: ({ orm }, { name }) => setState(orm, name, 'active'),
  migrate: async ({ service }) => told(await service.migrate({ concurrency: 1 })),
  'migrate down': async ({ service }, { name }) => told(await service.migrate({ direction: 'down', only: [name] })),
  unlog: async ({ service }, { name }) => told(await service.unlogMigration('IndexNotes', { only: [name] })),
  status: async ({ service }) => {
    const { tenants: all, orphans } = await service.status();

    return [all.map(({ schemaName, pending }) => [schemaName, pending]), orphans];
  },
  doctor: async ({ service }) =>
    (await service.doctor()).findings
      .filter(({ schemaName }) => schemaName !== undefined)
      .map(({ kind, schemaName }) => `${kind} ${schemaName}`),
  keep: async ({ service, kept }) => {
    for (const row of await service.list()) {
      kept.set(row.schemaName, row);
    }
  },
  visits: async ({ orm }) => {
    const outcomes = await forEachTenant(em => em.count(Note, {}), { orm, settle: true });

    return outcomes.map(({ schemaName, ...outcome }) => [schemaName, outcome.ok ? outcome.value : codeOf(outcome.error)]);
  },
  report: async ({ orm }) => (await acrossTenants(Note, {}, { orm, reason: 'a spec', orderBy: { id: 'asc' } } as never).toArray()).length,
  'a tenant’s entity in no scope': ({ orm }) => orm.em.fork().find(Note, {}),
  'a tenant’s entity in the public scope': ({ orm }) => runInPublic(em => em.find(Note, {}), { orm }),
  'a scope by name': (life, draw) => runInTenant(draw.name, em => draw.work(em, life), { orm: life.orm }),
  'a scope of an active tenant': (life, draw) => runInTenant(draw.name, em => draw.work(em, life), { orm: life.orm, onlyActive: true }),
  'a scope by a row': async (life, draw) => {
    const row = life.kept.get(draw.name);

    return row === undefined ? 'none' : runInTenant(row, em => draw.work(em, life), { orm: life.orm });
  },
  'a scope in a transaction': (life, draw) =>
    life.orm.em.fork({ useContext: true }).transactional(() => runInTenant(draw.name, em => draw.work(em, life), { orm: life.orm })),
};

const SCOPES = Object.keys(STEPS).filter(name => name.startsWith('a scope'));

/** A step as it is printed and repeated, and what it answers on an ORM. */
export interface LifeStep {
  readonly label: string;
  readonly take: (life: Life) => Promise<unknown>;
}

/** Steps of a few tenants. Half of them are scopes. */
export function drawSteps(random: () => number, count: number): LifeStep[] {
  const pick = randomPick(random);

  return Array.from({ length: count }, () => {
    const step = random() < 0.5 ? pick(SCOPES) : pick(Object.keys(STEPS));
    const [name, other, plan] = [pick(NAMES), pick(NAMES), pick(Object.keys(PLANS))];
    const text = `t${Math.floor(random() * 1e9).toString(36)}`;
    const works = Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(IN_TURN));
    const isScope = SCOPES.includes(step);
    const draw: Draw = {
      name,
      other,
      text,
      work: async (em, life) =>
        PLANS[plan]?.(
          em,
          works.map(work => inner => WORKS[work]!(inner, text, other, life)),
        ),
    };

    return {
      label: `${step}: ${name}, ${other}${isScope ? `, ${plan}: ${works.join(', ')}` : ''}`,
      take: async life => {
        try {
          return plain((await STEPS[step]!(life, draw)) ?? null);
        } catch (error) {
          return codeOf(error);
        }
      },
    };
  });
}

export function openLife(orm: SpecOrm): Life {
  return { orm, service: tenants<Estate>(orm), kept: new Map() };
}

/** All that is stored. */
export async function contentsOfLife({ orm, service }: Life): Promise<unknown> {
  const found: unknown[] = [];

  for (const { schemaName, domainUrl, state } of await service.list()) {
    const notes = await runInTenant(schemaName, em => em.execute('select id, text from note order by id'), { orm }).catch(codeOf);
    found.push([schemaName, domainUrl, state, notes]);
  }

  return plain([found, (await service.listDeleted()).map(({ schemaName }) => schemaName)]);
}

async function eachOf(em: TenantEntityManager, works: readonly ((em: TenantEntityManager) => Promise<unknown>)[]): Promise<unknown[]> {
  const answers: unknown[] = [];

  for (const work of works) {
    answers.push(await work(em));
  }

  return answers;
}

function tried(work: (em: TenantEntityManager) => Promise<unknown>): (em: TenantEntityManager) => Promise<unknown> {
  return em => work(em).catch(codeOf);
}

/** Whether a tenant is known to have changed, or its table was looked for, is a matter of the time that has passed. */
function codeOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  const told = typeof code === 'string' ? code : sqlStateOf(error);

  return told === '42P01' ? 'TENANT_CHANGED' : told;
}

function setState(orm: SpecOrm, schemaName: string, state: Estate['state']): Promise<void> {
  return runInPublic(
    async em => {
      Object.assign(await em.findOneOrFail(Estate, { schemaName }), { state });
      await em.flush();
    },
    { orm },
  );
}

function told({ total, upToDate, migrated, failed }: Awaited<ReturnType<TenantService['migrate']>>): unknown {
  return [
    total,
    upToDate,
    migrated.map(({ schemaName }) => schemaName).toSorted(),
    failed.map(({ schemaName, error }) => [schemaName, codeOf(error)]),
  ];
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null)) as unknown;
}

interface Draw {
  readonly name: string;
  readonly other: string;
  readonly text: string;
  readonly work: (em: TenantEntityManager, life: Life) => Promise<unknown>;
}

const NAMES = ['acme', 'bob', 'carl'];
