import { expect } from 'chai';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { ROOT } from './support/orm/library-orm.ts';

/** The folders and root files of `lib/`. Each may import only from those before it. */
const ROOMS = [
  'errors',
  'postgres',
  'tenant',
  'scope',
  'connection',
  'database',
  'entities',
  'query',
  'orm',
  'migrations',
  'provisioning',
  'directory',
  'tenancy.ts',
  'api',
  'web',
  'telemetry',
  'testing',
  'cli',
  'with-tenants.ts',
  'index.ts',
];

/** What binds a flow for as long as an ORM or a process lives. */
const BOUND_ONCE = ['database/tenant-database.ts', 'cli/shell-command.ts'];

const BINDS = /^(?!\s*(?:\*|\/[/*])).*(?:AsyncLocalStorage\.(?:snapshot|bind)|AsyncResource\.bind|asyncResource\.bind)\(/m;

/** The folders of those that have some, in the same order. */
const INNER_ROOMS: Readonly<Record<string, readonly string[]>> = {
  connection: ['statements', 'pool', 'check', 'guard'],
  migrations: ['set', 'history', 'run'],
};

describe('The rooms of lib/', () => {
  const files = sourcesOf(join(ROOT, 'lib'));

  it('G3 each file is in a room that is known', () => {
    expect([...files.keys()].filter(file => !ROOMS.includes(roomOf(file)))).to.deep.equal([]);
  });

  it('G3 each room imports only rooms before it, by types too', () => {
    expect(arrows(files).filter(({ from, to }) => ROOMS.indexOf(roomOf(to)) > ROOMS.indexOf(roomOf(from)))).to.deep.equal([]);
  });

  for (const [room, inner] of Object.entries(INNER_ROOMS)) {
    it(`G3 inside of ${room}/ ${inner.join(', ')} import only what comes before them`, () => {
      const inside = arrows(files).filter(arrow => Object.values(arrow).every(file => roomOf(file) === room));
      const order = (file: string): number => inner.indexOf(file.split('/')[1] as string);

      expect([...files.keys()].filter(file => roomOf(file) === room && order(file) === -1)).to.deep.equal([]);
      expect(inside.filter(({ from, to }) => order(to) > order(from))).to.deep.equal([]);
    });
  }

  it('G3 no files import each other in a circle, by types neither', () => {
    expect(circleIn(files)).to.equal(undefined);
  });

  it('G3 no file has more than 300 lines', () => {
    const long = [...files]
      .map(([file, source]) => `${file}: ${source.split('\n').length - 1}`)
      .filter(each => Number(each.split(': ')[1]) > 300);

    expect(long).to.deep.equal([]);
  });

  it('E1 keeps a flow by keepFlow(): what Node binds stays in memory until a full garbage collection', () => {
    const binding = [...files].filter(([, source]) => BINDS.test(source)).map(([file]) => file);

    expect(binding).to.have.members(BOUND_ONCE);
  });

  it('G3 finds an arrow that points up, and a circle', () => {
    const planted = new Map([
      ['errors/a.ts', "import type { B } from '../cli/b.js';"],
      ['cli/b.ts', "export { A } from '../errors/a.js';"],
    ]);

    expect(arrows(planted)).to.deep.equal([
      { from: 'errors/a.ts', to: 'cli/b.ts' },
      { from: 'cli/b.ts', to: 'errors/a.ts' },
    ]);
    expect(circleIn(planted)).to.equal('errors/a.ts → cli/b.ts → errors/a.ts');
  });
});

/** The source of each file, by its path in `lib/`. */
function sourcesOf(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'));

  return new Map(names.map(name => [name.split(sep).join('/'), readFileSync(join(folder, name), 'utf8')]));
}

function roomOf(file: string): string {
  return file.split('/')[0] as string;
}

function arrows(files: ReadonlyMap<string, string>): { readonly from: string; readonly to: string }[] {
  return [...files].flatMap(([from, source]) =>
    [...source.matchAll(/(?:\bfrom|\bimport\()\s*'(\.[^']+)'/g)].map(([, specifier = '']) => ({
      from,
      to: relative('.', normalize(join(dirname(from), specifier)))
        .split(sep)
        .join('/')
        .replace(/\.js$/, '.ts'),
    })),
  );
}

function circleIn(files: ReadonlyMap<string, string>): string | undefined {
  const all = arrows(files);
  const done = new Set<string>();

  const visit = (file: string, path: readonly string[]): string | undefined => {
    if (path.includes(file)) {
      return [...path.slice(path.indexOf(file)), file].join(' → ');
    }

    if (!done.has(file)) {
      done.add(file);

      for (const { to } of all.filter(({ from }) => from === file)) {
        const found = visit(to, [...path, file]);

        if (found !== undefined) {
          return found;
        }
      }
    }

    return undefined;
  };

  for (const file of files.keys()) {
    const found = visit(file, []);

    if (found !== undefined) {
      return found;
    }
  }

  return undefined;
}
