import { deepStrictEqual } from 'node:assert/strict';
import { inspect } from 'node:util';
import { expect } from 'chai';
import { tenants } from '@landlord/mikro-orm';
import { COMPILERS, load } from '../support/processes/compilers.ts';
import type * as AutoAccessors from './compiled/auto-accessors.ts';
import type * as Decorated from './compiled/decorated.ts';
import type * as Tenants from './compiled/tenants.ts';
import { onDatabases } from '../support/databases/database.ts';
import { openNoteOrm } from '../support/orm/note-orm.ts';

const PLACE = { domainUrl: 'acme.example.com', schemaName: 'acme' };

// for each property of `Special`: a value to pass, and the value without it
const PROPERTIES: Readonly<Record<string, { readonly passed: unknown; readonly initial: unknown }>> = {
  name: { passed: 'Acme', initial: undefined },
  paidUntil: { passed: new Date('2030-01-01T00:00:00Z'), initial: undefined },
  onTrial: { passed: false, initial: true },
  seats: { passed: null, initial: 5 },
  labels: { passed: ['vip'], initial: ['new'] },
  region: { passed: 'eu', initial: undefined },
  rank: { passed: 7, initial: 1 },
  note: { passed: '', initial: undefined },
};

const INITIAL: Readonly<Record<string, unknown>> = mapProperties(({ initial }) => initial);

const PASSED: Readonly<Record<string, unknown>> = mapProperties(({ passed }) => passed);

// without decorators in the source, both decorator settings have the same result
for (const compiler of COMPILERS.filter(({ decorators }) => decorators === 'es')) {
  describe(`a tenant compiled by ${compiler.title}`, () => {
    let classes: typeof Tenants;

    before(async () => {
      classes = await load(compiler, 'tenants');
    });

    it('G6 W3 has each value that was passed, `undefined` too, and the initial value of each that was not', () => {
      for (const Tenant of [classes.Special, classes.Bare]) {
        for (const [name, { passed, initial }] of Object.entries(PROPERTIES)) {
          for (const others of [INITIAL, PASSED]) {
            const { [name]: _, ...rest } = others;

            expect(valuesOf(new Tenant({ ...PLACE, ...rest }))).to.deep.equal({ ...others, [name]: initial });
            expect(valuesOf(new Tenant({ ...PLACE, ...rest, [name]: passed }))).to.deep.equal({ ...others, [name]: passed });
            expect(valuesOf(new Tenant({ ...PLACE, ...rest, [name]: undefined }))).to.deep.equal({ ...others, [name]: undefined });
          }
        }

        expect(valuesOf(new Tenant(PLACE))).to.deep.equal(INITIAL);
        expect(valuesOf(new Tenant())).to.deep.equal(INITIAL);
      }
    });

    it('G6 W3 computes initial values from what was passed, and keeps what was passed for them', () => {
      expect(new classes.Computed({ ...PLACE, name: 'Acme', onTrial: false })).to.include({ slug: 'acme', onTrial: false });
      expect(new classes.Computed({ ...PLACE, name: 'Acme', slug: 'other' })).to.include({ slug: 'other', onTrial: true });
    });

    it('G6 W3 has what a constructor that is written by hand assigns', () => {
      const data = { ...PLACE, name: ' Acme ', onTrial: false, seats: 1 };

      // if the compiler assigns fields, this constructor assigns those of its own class
      expect(new classes.Trimmed(data)).to.include({ name: 'Acme', onTrial: false, seats: compiler.fields === 'assign' ? 7 : 1 });
      expect(new classes.Forced({ ...data, region: 'us' })).to.include({ name: 'Acme', onTrial: true, seats: 1, region: 'eu' });
      expect(new classes.Variadic(data)).to.include({ name: 'Acme', onTrial: false, seats: 1, region: 'eu', slug: 'acme' });
      expect(new classes.Variadic({ ...data, region: 'us', slug: 'a' })).to.include({ name: 'Acme', region: 'us', slug: 'a' });
      expect(new classes.Positional(' Acme ', 'acme')).to.include({ ...PLACE, name: 'Acme', rank: compiler.fields === 'assign' ? 1 : 7 });
    });

    it('G6 W3 has what is assigned, defined or deleted later', () => {
      for (const name of Object.keys(PROPERTIES)) {
        for (const make of [() => new classes.Special({ ...PLACE, ...PASSED }), () => new classes.Variadic({ ...PLACE, ...PASSED })]) {
          const tenant = make() as object as Record<string, unknown>;
          tenant[name] = 'assigned';
          expect(tenant[name]).to.equal('assigned');
          Object.defineProperty(tenant, name, { value: 'defined', configurable: true, enumerable: true, writable: true });
          expect(tenant[name]).to.equal('defined');
          delete tenant[name];
          expect(tenant).not.to.have.property(name);
          tenant[name] = 'again';
          expect(tenant[name]).to.equal('again');
        }
      }
    });

    it('G6 W3 equals one that got the same values otherwise, and is shown alike', () => {
      const tenant = new classes.Special({ ...PLACE, ...PASSED });
      const other = Object.assign(new classes.Special(), PLACE, PASSED);

      for (const [one, two] of [
        [tenant, other],
        [other, tenant],
      ]) {
        deepStrictEqual(one, two);
        expect(one).to.deep.equal(two);
      }

      expect(tenant).not.to.deep.equal(Object.assign(new classes.Special(), PLACE, PASSED, { onTrial: true }));
      expect(inspect(tenant, { sorted: true })).to.equal(inspect(other, { sorted: true }));
      expect(JSON.parse(JSON.stringify(tenant))).to.deep.equal(JSON.parse(JSON.stringify(other)));
      expect(tenant).to.be.instanceOf(classes.Client);
    });

    it('G6 W3 can be cloned where fields are assigned, and a copy of its properties can be everywhere', () => {
      const tenant = new classes.Special({ ...PLACE, ...PASSED });
      const values = Object.fromEntries(Object.entries(Object.assign(new classes.Special(), PLACE, PASSED)));

      if (compiler.fields === 'assign') {
        expect(structuredClone(tenant)).to.deep.equal(values);
        expect(structuredClone(new classes.Trimmed({ ...PLACE, name: ' Acme ' }))).to.include({ name: 'Acme', onTrial: true });
      } else {
        expect(() => structuredClone(tenant)).to.throw(DOMException, 'could not be cloned');
      }

      expect(structuredClone(Object.fromEntries(Object.entries(tenant)))).to.deep.equal(values);
    });

    it('G6 W3 hands what was passed to accessors, those of private fields too', () => {
      const make = (): Tenants.WithAccessors => new classes.WithAccessors({ ...PLACE, seats: 9, plan: 'free' });
      const assigned = make();
      assigned.seats = 2;

      expect([make().seats, make().plan, make().describe()]).to.deep.equal([9, 'free', 'free, 9 seats']);
      expect([assigned.seats, assigned.describe()]).to.deep.equal([2, 'free, 2 seats']);
      expect(new classes.WithAccessors(PLACE).describe()).to.equal('initial, 5 seats');
    });

    it('G6 W3 hands what was passed to auto-accessors', async () => {
      const { Client } = await load<typeof AutoAccessors>(compiler, 'auto-accessors');
      const { name, onTrial, seats } = new Client({ ...PLACE, name: 'Acme', onTrial: false, seats: 1 });
      const initial = new Client(PLACE);

      expect({ name, onTrial, seats }).to.deep.equal({ name: 'Acme', onTrial: false, seats: 1 });
      expect([initial.name, initial.onTrial, initial.seats]).to.deep.equal([undefined, true, 5]);
    });
  });
}

describe('a decorated tenant', () => {
  for (const compiler of COMPILERS) {
    it(`G6 W3 compiled by ${compiler.title}, has what was passed, and the initial values of its fields`, async () => {
      const { Client } = await load<typeof Decorated>(compiler, 'decorated');
      const { name, onTrial, seats } = new Client({ ...PLACE, name: 'Acme', onTrial: false });

      expect({ name, onTrial, seats }).to.deep.equal({ name: 'Acme', onTrial: false, seats: 5 });
    });
  }
});

onDatabases('a compiled tenant', database => {
  // each has one kind of decorators
  for (const compiler of COMPILERS.filter(({ fields, decorators }) => decorators === (fields === 'assign' ? 'legacy' : 'es'))) {
    it(`G6 W3 compiled by ${compiler.title}, is stored and loaded with what was passed`, async () => {
      const { Client } = await load<typeof Decorated>(compiler, 'decorated');
      const publicSchema = `public_${COMPILERS.indexOf(compiler)}`;
      const orm = await openNoteOrm(database, Client, { publicSchema });

      try {
        const em = orm.em.fork();
        const dataOf = (name: string) => ({
          domainUrl: `${name}.example.com`,
          schemaName: `${publicSchema}_${name}`,
          name,
          onTrial: false,
          paidUntil: null,
        });
        const created = em.create(Client, dataOf('created') as never);
        const made = new Client(dataOf('made'));
        await em.persistAndFlush([created, made]);
        await tenants(orm).create(dataOf('served'));
        const loaded = await orm.em.fork().find(Client, {}, { orderBy: { name: 'asc' } });

        expect(loaded.map(({ name, onTrial, seats }) => ({ name, onTrial, seats }))).to.deep.equal([
          { name: 'created', onTrial: false, seats: 5 },
          { name: 'made', onTrial: false, seats: 5 },
          { name: 'served', onTrial: false, seats: 5 },
        ]);
        deepStrictEqual(created, loaded[0]);
        deepStrictEqual(loaded[1], made);
      } finally {
        await orm.close();
      }
    });
  }
});

function valuesOf(tenant: object): Record<string, unknown> {
  return mapProperties((_, name) => (tenant as Record<string, unknown>)[name]);
}

function mapProperties(value: (property: (typeof PROPERTIES)[string], name: string) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(PROPERTIES).map(([name, property]) => [name, value(property, name)]));
}
