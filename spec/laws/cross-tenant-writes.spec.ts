import { CrossTenantError, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { ref, Reference, UniqueConstraintViolationException, wrap } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { Essay, everyRow, Imprint, Label, openWriters, Portrait, Volume, Writer } from '../support/orm/writers.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';

/** The loaded entities of a tenant. */
interface Shelf {
  readonly em: TenantEntityManager;
  readonly writer: Writer;
  /** A writer whose collections are not loaded. */
  readonly other: Writer;
  readonly bare: Writer;
  readonly volume: Volume;
  readonly second: Volume;
  readonly label: Label;
  readonly portrait: Portrait;
  readonly loose: Portrait;
  readonly essay: Essay;
  /** A reference with only a key. */
  readonly reference: Writer;
}

interface Case {
  /** Whether the database refuses it among the tenant's own entities. */
  readonly violatesUnique?: boolean;
  /** The properties that the error may name: either side of the relation. None if no property refers to the entity. */
  readonly by: readonly string[];
  /** Changes entities, using some of `theirs`. The flush follows. */
  readonly write: (own: Shelf, theirs: Shelf) => unknown;
}

const volumes = ['Volume.writer', 'Writer.volumes'];
const portraits = ['Portrait.sitter', 'Writer.portrait'];
const labels = ['Volume.labels', 'Label.volumes'];
const essays = ['Essay.writer', 'Writer.essays'];

/** The ways to set a relation to another tenant's entity. Nothing may be stored. */
const RELATIONS: Readonly<Record<string, Case>> = {
  'm:1': { by: volumes, write: ({ volume }, { other }) => (volume.writer = other) },
  'm:1 to the same key': { by: volumes, write: ({ volume }, { writer }) => (volume.writer = writer) },
  'm:1 to a bare reference of the other fork': { by: volumes, write: ({ volume }, { reference }) => (volume.writer = reference) },
  'm:1 without a cascade, by Reference.create': {
    by: ['Volume.translator'],
    write: ({ volume }, { other }) => (volume.translator = Reference.create(other)),
  },
  'm:1 without a cascade, by ref()': { by: ['Volume.translator'], write: ({ volume }, { other }) => (volume.translator = ref(other)) },
  '1:1, its owner': { by: portraits, write: ({ loose }, { bare }) => (loose.sitter = bare) },
  '1:1, its inverse side': { by: portraits, write: ({ bare }, { loose }) => (bare.portrait = loose) },
  '1:1, two that swap': {
    by: portraits,
    // MikroORM writes the two one after the other, also without tenants
    violatesUnique: true,
    write: ({ portrait, loose, writer }, { bare }) => {
      portrait.sitter = bare;
      loose.sitter = writer;
    },
  },
  // MikroORM removes a unique value from its entity until the other changes are written
  '1:1 without an inverse side, of several that change': {
    by: ['Portrait.painter'],
    write: ({ portrait, loose, writer }, { other }) => {
      portrait.painter = ref(writer);
      loose.painter = ref(other);
    },
  },
  'an embeddable': {
    by: ['Volume.imprint.editor'],
    write: ({ volume }, { bare }) => Object.assign(volume.imprint as Imprint, { editor: bare }),
  },
  'an embeddable, to the same key': {
    by: ['Volume.imprint.editor'],
    write: ({ volume }, { writer }) => Object.assign(volume.imprint as Imprint, { editor: writer }),
  },
  'a new embeddable': {
    by: ['Volume.imprint.editor'],
    write: ({ second }, { bare }) => (second.imprint = Object.assign(new Imprint(), { city: 'x', editor: bare })),
  },
  'an array of embeddables': {
    by: ['Volume.notes.editor'],
    write: ({ volume }, { bare }) => (volume.notes = [Object.assign(new Imprint(), { city: 'x', editor: bare })]),
  },
  'Collection.add, 1:m': { by: volumes, write: ({ writer }, { second }) => writer.volumes.add(second) },
  'Collection.add, 1:m, of a row that has the same key there': {
    by: volumes,
    write: ({ writer }, { volume }) => writer.volumes.add(volume),
  },
  'Collection.add, 1:m, not loaded': { by: volumes, write: ({ bare }, { second }) => bare.volumes.add(second) },
  'Collection.add, 1:m, of a new one': {
    by: volumes,
    write: ({ writer }, { other }) => {
      const volume = Object.assign(new Volume(), { id: 9, title: 'x' });
      writer.volumes.add(volume);
      volume.writer = other;
    },
  },
  'Collection.set, 1:m': { by: essays, write: ({ writer }, { essay }) => writer.essays.set([essay]) },
  'Collection.hydrate, 1:m': { by: volumes, write: ({ writer }, { second }) => writer.volumes.hydrate([second]) },
  'Collection.add, m:n, its owner': { by: labels, write: ({ second }, { label }) => second.labels.add(label) },
  'Collection.add, m:n, its inverse side': { by: labels, write: ({ label }, { second }) => label.volumes.add(second) },
  'Collection.add, m:n, not loaded': { by: labels, write: ({ em }, { label }) => em.getReference(Volume, 2).labels.add(label) },
  'Collection.set, m:n': { by: labels, write: ({ volume }, { label }) => volume.labels.set([label]) },
  'Collection.hydrate, m:n': { by: labels, write: ({ second }, { label }) => second.labels.hydrate([label]) },
  'orphanRemoval, an essay that is added': { by: essays, write: ({ writer }, { essay }) => writer.essays.add(essay) },
  'orphanRemoval, an essay that is let go': {
    by: essays,
    write: ({ writer }, { essay }) => {
      writer.essays.add(essay);
      writer.essays.remove(essay);
      essay.writer = writer;
    },
  },
  'em.assign': { by: volumes, write: ({ em, volume }, { other }) => em.assign(volume, { writer: other }) },
  'em.assign of a collection': { by: labels, write: ({ em, volume }, { label }) => em.assign(volume, { labels: [label] }) },
  'em.assign of an embeddable': {
    by: ['Volume.imprint.editor'],
    write: ({ em, volume }, { bare }) => em.assign(volume, { imprint: { editor: bare } }),
  },
  'wrap().assign': { by: volumes, write: ({ volume }, { other }) => wrap(volume).assign({ writer: other }) },
  'wrap().assign to the same key': { by: volumes, write: ({ volume }, { writer }) => wrap(volume).assign({ writer }) },
  'wrap().assign of a collection': { by: labels, write: ({ volume }, { label }) => wrap(volume).assign({ labels: [label] }) },
  'em.create': { by: volumes, write: ({ em }, { other }) => em.create(Volume, { id: 9, title: 'x', writer: other }) },
  'em.create with a collection': {
    by: labels,
    write: ({ em, writer }, { label }) => em.create(Volume, { id: 9, title: 'x', writer, labels: [label] }),
  },
  'em.create, deep': {
    by: ['Writer.volumes.labels', ...labels],
    write: ({ em }, { label }) => em.create(Writer, { id: 9, name: 'x', volumes: [{ id: 9, title: 'x', labels: [label] }] } as never),
  },
  'a new entity made by hand': {
    by: volumes,
    write: ({ em }, { other }) => em.persist(Object.assign(new Volume(), { id: 9, title: 'x', writer: other })),
  },
  'a new entity behind a new entity': {
    by: volumes,
    write: ({ em }, { other }) => {
      const volume = Object.assign(new Volume(), { id: 9, title: 'x', writer: other });
      const label = Object.assign(new Label(), { id: 9, name: 'x' });
      label.volumes.add(volume);
      em.persist(label);
    },
  },
  'em.map': { by: volumes, write: ({ em }, { other }) => em.map(Volume, { id: 9, title: 'x', writer_id: other } as never) },
  'em.merge of data': { by: volumes, write: ({ em }, { other }) => em.merge(Volume, { id: 9, title: 'x', writer: other }) },
  'em.merge of an own entity that refers to it': {
    by: volumes,
    write: ({ em, volume }, { other }) => {
      volume.writer = other;
      em.fork().merge(volume);
    },
  },
};

/** The ways in which an entity of another tenant gets into the flush without a relation. */
const ENTITIES: Readonly<Record<string, Case>> = {
  'em.persist, as it was': { by: [], write: ({ em }, { label }) => em.persist(label) },
  'em.persist, changed': { by: [], write: ({ em }, { label }) => em.persist(Object.assign(label, { name: 'x' })) },
  'em.persist of a bare reference': { by: [], write: ({ em }, { reference }) => em.persist(Object.assign(reference, { name: 'x' })) },
  'em.persist beside an own change': {
    by: [],
    write: ({ em, volume }, { label }) => {
      volume.title = 'x';
      em.persist(Object.assign(label, { name: 'x' }));
    },
  },
  'em.persist of a new entity of their schema': {
    by: [],
    write: ({ em }) => em.persist(em.create(Label, { id: 9, name: 'x' }, { schema: 'bob', persist: false })),
  },
  'em.merge': { by: [], write: ({ em }, { label }) => em.merge(label) },
  'em.merge by name': { by: [], write: ({ em }, { label }) => em.merge(Label, label) },
  'em.remove': { by: [], write: ({ em }, { label }) => em.remove(label) },
  'em.remove of a bare reference': { by: [], write: ({ em }, { reference }) => em.remove(reference) },
  'em.remove beside an own change': {
    by: [],
    write: ({ em, volume }, { essay }) => {
      volume.title = 'x';
      em.remove(essay);
    },
  },
  'Collection.remove, 1:m, with orphanRemoval': {
    by: [],
    write: ({ writer }, { essay }) => {
      writer.essays.hydrate([essay]);
      writer.essays.remove(essay);
    },
  },
  'em.remove of an own entity that deletes its orphans': {
    by: essays,
    write: ({ em, writer }, { essay }) => {
      writer.essays.hydrate([essay]);
      em.remove(writer);
    },
  },
};

const CASES = { ...RELATIONS, ...ENTITIES };

onDatabasesAndPooler('writes across tenants', database => {
  let orm: SpecOrm;
  let untouched: unknown;

  before(async () => {
    orm = await openWriters(database);
    untouched = await everyRow(database);
  });

  const inScope = (fn: (em: TenantEntityManager) => Promise<unknown>): Promise<unknown> =>
    runInTenant('acme', em => fn(em.fork()), { orm });
  const inNone = (fn: (em: TenantEntityManager) => Promise<unknown>): Promise<unknown> => fn(orm.em.fork({ schema: 'acme' }));
  const ofBob = (): Promise<Shelf> => shelfOf(orm.em.fork({ schema: 'bob' }));

  for (const [place, run] of Object.entries({ 'a tenant’s scope': inScope, 'no scope': inNone })) {
    for (const [name, { by, write }] of Object.entries(CASES)) {
      it(`law 2: ${name} across tenants is refused in ${place}, before any SQL`, async () => {
        const theirs = await ofBob();
        const error = await run(async em => {
          const own = await shelfOf(em);
          database.statements.length = 0;

          return refusal(async () => {
            await write(own, theirs);
            await em.flush();
          });
        });

        expect(database.statements).to.deep.equal([]);
        expect(error).to.be.instanceOf(CrossTenantError).and.include({ code: 'CROSS_TENANT' });
        const { message, property, schemaNames } = error as CrossTenantError;
        expect([...schemaNames].sort()).to.deep.equal(['acme', 'bob']);
        expect(message)
          .to.include('"acme"')
          .and.to.include('"bob"')
          .and.to.match(/Nothing was stored|No SQL was sent/);
        expect(property === undefined ? [] : [property]).to.satisfy((found: string[]) =>
          by.length === 0 ? found.length === 0 : found.length === 1 && by.includes(found[0] as string),
        );
        expect(message).to.include(property ?? '');
        expect(await everyRow(database)).to.deep.equal(untouched);
      });
    }
  }

  for (const [name, { write, violatesUnique }] of Object.entries(RELATIONS)) {
    it(`law 2: ${name} within a tenant is taken`, async () => {
      for (const run of [inScope, inNone]) {
        const written = run(em =>
          rollBackAfter(em, async inner => {
            const own = await shelfOf(inner);
            await write(own, own);
            await inner.flush();
          }),
        );

        if (violatesUnique === true) {
          expect(await failureOf(written)).to.be.instanceOf(UniqueConstraintViolationException);
        } else {
          await written;
        }
      }

      expect(await everyRow(database)).to.deep.equal(untouched);
    });
  }

  it('law 2: a flush by an EntityManager of no tenant is refused with entities of two, and names the property that leads there', async () => {
    const em = orm.em.fork();
    const acmes = await em.findOneOrFail(Volume, 1, { schema: 'acme' });
    const bobs = await em.findOneOrFail(Writer, 2, { schema: 'bob' });
    database.statements.length = 0;
    acmes.title = 'x';
    bobs.name = 'x';
    expect(await refusal(em.flush())).to.include({ code: 'CROSS_TENANT', property: undefined });
    acmes.writer = bobs;
    expect(await refusal(em.flush())).to.include({ code: 'CROSS_TENANT', property: 'Volume.writer' });
    expect(database.statements).to.deep.equal([]);
    expect(await everyRow(database)).to.deep.equal(untouched);
  });

  it('law 2: an EntityManager of no tenant may hold entities of two, and write those of one', async () => {
    const em = orm.em.fork();
    await em.findOneOrFail(Volume, 1, { schema: 'bob', populate: ['*'] });
    const acmes = await em.findOneOrFail(Volume, 1, { schema: 'acme', populate: ['*'] });

    await em.begin();
    acmes.title = 'changed';
    await em.flush();
    await em.rollback();

    expect(database.statements.join('\n')).to.include('update "acme"."volume"').and.not.to.include('update "bob"');
    expect(await everyRow(database)).to.deep.equal(untouched);
  });

  it('law 2: an EntityManager of one tenant may hold what it read of another outside any scope, and does not write it', async () => {
    const em = orm.em.fork({ schema: 'acme' });
    const bobs = await em.findOneOrFail(Label, 1, { schema: 'bob' });
    await em.flush();
    bobs.name = 'x';
    database.statements.length = 0;

    expect(await refusal(em.flush())).to.include({ code: 'CROSS_TENANT' });
    expect(database.statements).to.deep.equal([]);
    expect(await everyRow(database)).to.deep.equal(untouched);
  });
});

async function shelfOf(em: TenantEntityManager): Promise<Shelf> {
  const volume = await em.findOneOrFail(Volume, 1, { populate: ['writer.volumes', 'writer.essays', 'writer.portrait', 'labels.volumes'] });

  return {
    em,
    volume,
    writer: volume.writer,
    second: await em.findOneOrFail(Volume, 2, { populate: ['labels', 'writer'] }),
    other: await em.findOneOrFail(Writer, 2),
    bare: await em.findOneOrFail(Writer, 3),
    label: await em.findOneOrFail(Label, 1),
    portrait: await em.findOneOrFail(Portrait, 1),
    loose: await em.findOneOrFail(Portrait, 2),
    essay: await em.findOneOrFail(Essay, 2),
    reference: em.fork().getReference(Writer, 2),
  };
}
