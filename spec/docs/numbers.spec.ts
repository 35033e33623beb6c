import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { forEachTenant, TenantMixin, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { resolveOptions } from '../../dist/tenant/options.js';
import { until } from '../support/assertions/until.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, ROOT, type LibraryOrm } from '../support/orm/library-orm.ts';

describe('numbers in the documents', () => {
  const options = resolveOptions({ tenant: TenantMixin }, undefined) as unknown as Record<string, unknown>;

  it('the reference says what an option is if nothing is said of it', async () => {
    const text = await readFile(join(ROOT, 'docs/reference/options.md'), 'utf8');
    // the folder of migrations is filled in elsewhere
    const said = [...text.matchAll(/^### `([\w.]+)`\n\nType: .*, default: `([^{].*)`\.$/gm)].filter(
      ([, name = '']) => valueOf(name) !== undefined,
    );

    expect(said.length).to.be.above(15);

    for (const [, name = '', value = ''] of said) {
      expect(valueOf(name), name).to.deep.equal(literal(value));
    }
  });

  it('the page on Koa says the same of the directory', async () => {
    const text = await readFile(join(ROOT, 'docs/guides/koa.md'), 'utf8');
    const table = text.slice(text.indexOf('| in `directory`'), text.indexOf('## `schemaRouter`'));
    const said = [...table.matchAll(/^\| `(\w+)` +\| `(.*?)` +\|/gm)].map(([, name = '', value = '']) => [name, literal(value)]);

    expect(Object.fromEntries(said)).to.deep.equal(options['directory']);
  });

  function valueOf(name: string): unknown {
    return name.split('.').reduce<unknown>((all, part) => (all as Record<string, unknown> | undefined)?.[part], options);
  }
});

onDatabases(
  'how many tenants are worked on at once',
  database => {
    const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
    let orm: LibraryOrm;

    before(async () => {
      orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush(NAMES.map(name => newLibrary(name)));
    });

    it('S7 four by forEachTenant()', async () => {
      const crowd = new Crowd();
      await forEachTenant(() => crowd.join());

      expect(crowd.most).to.equal(4);
    });

    it('J3 a hook has ten seconds', async () => {
      const { setTimeout: real } = globalThis;
      const delays: unknown[] = [];
      const hooked = await openLibrary(database, { hooks: { afterCreate: () => undefined } });
      globalThis.setTimeout = ((...args: Parameters<typeof real>) => {
        // others have timers too, such as the pool
        delays.push(...(/tenant-hooks/.test(new Error('where').stack ?? '') ? [args[1]] : []));

        return real(...args);
      }) as typeof real;

      try {
        await hooked.em.fork().persistAndFlush(newLibrary('g'));
      } finally {
        globalThis.setTimeout = real;
        await tenants(hooked).drop('g');
      }

      expect(new Set(delays)).to.deep.equal(new Set([10_000]));
    });

    it('L13 four by tenants().seed()', async () => {
      const crowd = new Crowd();
      const seedString = (): Promise<void> => crowd.join();
      Object.defineProperty(orm, 'seeder', { get: () => ({ seedString }), configurable: true });
      const results = await tenants(orm).seed('Any');

      expect(results.map(({ schemaName }) => schemaName)).to.deep.equal(NAMES);
      expect(crowd.most).to.equal(4);
    });
  },
  ['postgresql'],
);

/** Counts how many are at work at once. Each stays until four have been, and for as long as a fifth would take to come. */
class Crowd {
  most = 0;
  #now = 0;

  async join(): Promise<void> {
    this.#now += 1;
    this.most = Math.max(this.most, this.#now);
    await until('four are at work', () => this.most >= 4);
    await delay(100);
    this.#now -= 1;
  }
}

function literal(text: string): unknown {
  return /^[\d_]+$/.test(text) ? Number(text.replaceAll('_', '')) : (JSON.parse(text.replaceAll(`'`, '"')) as unknown);
}
