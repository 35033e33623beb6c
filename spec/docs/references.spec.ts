import { expect } from 'chai';
import { existsSync, globSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { slug } from '../../docs/.vitepress/site/slug.ts';
import { ROOT } from '../support/orm/library-orm.ts';
import { DOCUMENTS } from '../support/processes/documents.ts';

describe('what the documents refer to', () => {
  it('are files and folders of the repository that are there', () => {
    const missing = DOCUMENTS.flatMap(document =>
      [...proseOf(document).matchAll(/`((?:lib|spec|fixtures|bench|docs)(?:\/[^\s`]*)?)`/g)]
        .map(([, path = '']) => path)
        .filter(path => globSync(path, { cwd: ROOT }).length === 0)
        .map(path => `${document}: ${path}`),
    );

    expect(missing).to.deep.equal([]);
  });

  it('are pages and headings that are there', () => {
    const links = DOCUMENTS.flatMap(document =>
      [...proseOf(document).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].map(([link, path = '', heading]) => ({
        link: `${document}: ${link}`,
        path: path === '' ? document : join(dirname(document), path),
        heading,
      })),
    );
    const isFile = (path: string): boolean => existsSync(join(ROOT, path)) && statSync(join(ROOT, path)).isFile();

    expect(links).to.have.length.above(50);
    expect(links.filter(({ path }) => !isFile(path)).map(({ link }) => link)).to.deep.equal([]);
    expect(
      links.filter(({ path, heading }) => heading !== undefined && !anchorsOf(path).includes(heading)).map(({ link }) => link),
    ).to.deep.equal([]);
  });

  it('are commands of npm that package.json has', () => {
    const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: object };
    const commands = DOCUMENTS.flatMap(document =>
      [...read(document).matchAll(/\bnpm run (?:-\S+ )*(\w[\w:-]*)/g)].map(([, name = '']) => ({ document, name })),
    );

    expect(commands.filter(({ name }) => !(name in scripts))).to.deep.equal([]);
  });

  it('are commands and options that `mikro-orm --help` lists', () => {
    const cli = read('docs/reference/cli.md');
    const unknown = DOCUMENTS.flatMap(document =>
      [...read(document).matchAll(/\bmikro-orm(?:-tenants)? (\w+:\w+)([^`\n#]*)/g)].flatMap(([, command = '', rest = '']) => {
        const listed = optionsOf(cli, command);
        const options = [...rest.matchAll(/(?<= )--[\w-]+/g)].map(([option]) => option);

        // the properties of the tenant entity are options too
        if (command === 'tenant:create') {
          return [];
        }

        return listed === undefined
          ? [`${document}: ${command}`]
          : options.filter(each => !listed.includes(each)).map(each => `${document}: ${command} ${each}`);
      }),
    );

    expect(unknown).to.deep.equal([]);
  });

  it('are named by the code where they are', () => {
    const missing = globSync('lib/**/*.ts', { cwd: ROOT }).flatMap(file =>
      [...read(file).matchAll(/(?<!\/)\b((?:docs\/[\w/.-]+|README|SECURITY|CONTRIBUTING|CHANGELOG)\.md)(?:#([\w-]+))?/g)]
        .filter(([, path = '', heading]) => !existsSync(join(ROOT, path)) || (heading !== undefined && !anchorsOf(path).includes(heading)))
        .map(([reference]) => `${file}: ${reference}`),
    );

    expect(missing).to.deep.equal([]);
  });

  it('CONTRIBUTING.md has a line for each folder of lib', () => {
    const rows = [...read('CONTRIBUTING.md').matchAll(/^\| `lib\/([^`/]+)`/gm)].map(([, folder = '']) => folder);
    const folders = readdirSync(join(ROOT, 'lib'), { withFileTypes: true }).filter(entry => entry.isDirectory());

    expect(rows).to.have.members(folders.map(({ name }) => name));
  });

  it('README.md has at most 10 KB, and says how the library is used', () => {
    const readme = read('README.md');

    expect(Buffer.byteLength(readme)).to.be.at.most(10 * 1024);
    expect(readme)
      .to.contain('extends TenantMixin')
      .and.to.contain('em.persistAndFlush(new Client(')
      .and.to.contain('koa.use(tenantContext())')
      .and.to.contain('mikro-orm migration:up --tenants');
  });
});

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

function proseOf(path: string): string {
  return read(path).replace(/^```.*?^```$/gms, '');
}

/** The anchors of the headings of a page. A heading that is there twice gets a number. */
function anchorsOf(path: string): string[] {
  const seen = new Map<string, number>();

  return [...proseOf(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => {
    const anchor = slug(heading);
    const before = seen.get(anchor) ?? 0;
    seen.set(anchor, before + 1);

    return before === 0 ? anchor : `${anchor}-${before}`;
  });
}

/** The options of a command, or undefined if there is no such command. */
function optionsOf(cli: string, command: string): string[] | undefined {
  const [, own] = cli.split(`\n## \`${command}\`\n`);
  const isStock = cli.includes(`| \`${command}`);

  if (own === undefined) {
    return isStock ? ['--config', '--help', '--path', '--out'] : undefined;
  }

  return [...(own.split('\n## ')[0] ?? '').matchAll(/--[\w-]+/g)].map(([option]) => option).concat('--config', '--quiet', '--help');
}
