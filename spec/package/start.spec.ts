import { expect } from 'chai';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeBlocksOf } from '../../docs/.vitepress/site/code-blocks.ts';
import { onDatabases } from '../support/databases/database.ts';
import { schemaNames } from '../support/databases/catalog.ts';
import { expectPrinted, transcriptsOf, type TranscribedCommand } from '../support/processes/transcripts.ts';
import { until } from '../support/assertions/until.ts';
import { freePort } from '../support/web/free-port.ts';
import { send } from '../support/web/http.ts';
import { packedPackage, runIn, temporaryFolder } from './installed-project.ts';

const PAGE = 'docs/start/index.md';

/** The blocks of step 1 are one for each package manager. */
const INSTALLS = ['npm', 'pnpm', 'yarn', 'bun'];

onDatabases(
  'the page "Start" in an empty folder',
  database => {
    let folder: string;
    let port: number;
    let application: ChildProcess | undefined;

    before(async () => {
      folder = temporaryFolder();
      port = await freePort();
    });

    after(() => application?.kill());

    it('G2 T1 H1 leads to an application that serves two tenants, and to the next migration', async () => {
      const [npm = [], ...rest] = transcriptsOf(PAGE);
      await follow(npm);
      writeFiles();
      expect(await runIn(folder, 'tsc', [])).to.include({ code: 0, stdout: '' });

      for (const [index, block] of rest.slice(INSTALLS.length - 1).entries()) {
        if (index === 4) {
          addIsbn();
        }

        await follow(block);
      }

      expect(await schemaNames(database)).to.deep.equal(['acme', 'bob']);
      expect(await database.query('select title, isbn from acme.book')).to.deep.equal([{ title: 'Emma', isbn: null }]);
    });

    it('G2 installs the same packages with each package manager', () => {
      const installs = transcriptsOf(PAGE).slice(0, INSTALLS.length);
      const packagesOf = (block: readonly TranscribedCommand[]): string[] =>
        block.flatMap(({ command }) => command.split(' ').filter(word => /^@|^(?:koa|tsx|typescript)$/.test(word)));

      expect(installs.map(([, , init]) => init?.command.split(' ')[0])).to.deep.equal(INSTALLS);
      expect(packagesOf(installs[0] ?? [])).to.include.members(['@landlord/mikro-orm', 'koa', 'tsx']);
      installs.forEach(block => expect(packagesOf(block)).to.deep.equal(packagesOf(installs[0] ?? [])));
    });

    it('G2 T1 H1 the code of the README runs as it stands', async () => {
      const readme = join(folder, 'readme');
      mkdirSync(readme);
      ['package.json', 'tsconfig.json'].forEach(file => writeFileSync(join(readme, file), readFileSync(join(folder, file))));
      symlinkSync(join(folder, 'node_modules'), join(readme, 'node_modules'));
      codeBlocksOf(join(ROOT, 'README.md'), join(ROOT, 'docs'))
        .filter(({ file }) => file !== undefined)
        .forEach(({ file = '', code }) => writeFileSync(join(readme, file), onFreePort(code)));
      const lines =
        codeBlocksOf(join(ROOT, 'README.md'), join(ROOT, 'docs'))
          .find(({ language }) => language === 'sh')
          ?.code.trim()
          .split('\n') ?? [];
      await database.query('drop schema acme cascade; drop schema bob cascade; drop schema public cascade; create schema public');
      application?.kill();

      for (const line of lines) {
        const [, program = '', ...args] = line.replace(/#.*/, '').trim().split(/ +/);
        expect(await runIn(readme, program, args, { DATABASE_URL: database.url })).to.include({ code: 0 });
      }

      await startApplication('node --import tsx app.ts', readme);
      expect((await ask('GET', 'localhost', '/')).body).to.equal('Your books are at http://acme.example.com');
      expect((await ask('GET', 'acme.example.com', '/')).body).to.equal('[]');
      expect((await ask('GET', 'bob.example.com', '/')).status).to.equal(404);
      expect(lines).to.have.length(4);
    });

    async function follow(block: readonly TranscribedCommand[]): Promise<void> {
      for (const each of block) {
        const [program = '', ...args] = each.command.match(/'[^']*'|\S+/g)?.map(word => word.replaceAll("'", '')) ?? [];

        if (program === 'mkdir') {
          mkdirSync(join(folder, args[0] ?? ''));
        } else if (program === 'cd') {
          folder = join(folder, args[0] ?? '');
        } else if (program === 'curl') {
          expectPrinted(each, await curl(args));
        } else if (each.command.endsWith('app.ts')) {
          expectPrinted(each, (await startApplication(each.command, folder)).replace(String(port), '3000'));
        } else {
          // the bins are on the path: npx would find the same, half a second later
          const [command = '', ...rest] = program === 'npx' ? args : [program, ...args];
          const { code, stdout, stderr } = await runIn(folder, command, await withTarball(rest), { DATABASE_URL: database.url });
          expect(code, `$ ${each.command}\n${stdout}${stderr}`).to.equal(0);

          if (program !== 'npm') {
            expectPrinted(each, stdout);
          }

          if (each.command.endsWith('migration:up --tenants')) {
            const [[shown = each] = []] = transcriptsOf('docs/guides/many-tenants.md');
            expectPrinted({ ...shown, printed: sortedLines(shown.printed) }, sortedLines(stdout));
          }
        }
      }
    }

    function writeFiles(): void {
      const files = codeBlocksOf(join(ROOT, PAGE), join(ROOT, 'docs')).filter(({ source }) => source !== undefined);
      files.forEach(({ source = '', code }) => writeFileSync(join(folder, source.split('/').at(-1) ?? ''), onFreePort(code)));
      expect(files).to.have.length(4);
    }

    function onFreePort(code: string): string {
      return code.replaceAll('3000', String(port));
    }

    /** What the page says in words. */
    function addIsbn(): void {
      const path = join(folder, 'entities.ts');
      const [, added = ''] = /such as `(isbn: [^`]+)` after `title`/.exec(readFileSync(join(ROOT, PAGE), 'utf8')) ?? [];
      expect(added).to.not.equal('');
      writeFileSync(path, readFileSync(path, 'utf8').replace('title: p.string()', `title: p.string(), ${added}`));
    }

    /** Resolves to its first line, or, if it prints none, to nothing as soon as it answers. */
    async function startApplication(command: string, cwd: string): Promise<string> {
      const [, ...args] = command.split(' ');
      const child = spawn(process.execPath, args, {
        cwd,
        env: { ...process.env, DATABASE_URL: database.url },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let printed = '';
      child.stdout.on('data', chunk => (printed += String(chunk)));
      application = child;
      await until(
        'the application answers',
        async () => (await ask('GET', 'nobody.example.com', '/').catch(() => undefined)) !== undefined,
      );

      return printed;
    }

    async function curl(args: readonly string[]): Promise<string> {
      const method = args.includes('-X') ? (args[args.indexOf('-X') + 1] ?? '') : 'GET';
      const [, host] = /^Host: (.*)$/.exec(args[args.indexOf('-H') + 1] ?? '') ?? [];
      const [, path = ''] = /^localhost:3000(.*)$/.exec(args.at(-1) ?? '') ?? [];

      return (await ask(method, host ?? 'localhost', path)).body;
    }

    function ask(method: string, host: string, path: string): ReturnType<typeof send> {
      return send({ port, host, path, method });
    }
  },
  ['postgresql'],
);

/** Which tenant is done first differs. */
function sortedLines(text: string): string {
  return text.trim().split('\n').toSorted().join('\n');
}

async function withTarball(args: readonly string[]): Promise<string[]> {
  const { tarball } = await packedPackage();
  const isInstall = args[0] === 'install';

  return args
    .map(each => (each === '@landlord/mikro-orm' ? tarball : each))
    .concat(isInstall ? ['--prefer-offline', '--no-audit', '--no-fund'] : []);
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
