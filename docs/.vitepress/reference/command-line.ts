import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './sources.ts';

interface CommandLine {
  wrap(columns: null): void;
  parse(args: readonly string[], callback: (error: unknown, argv: unknown, output: string) => void): unknown;
}

/** What `mikro-orm COMMAND --help` prints, for each command with options of this package. */
export async function describeCommandLine(): Promise<string> {
  const help = await helpOf();
  const [all = ''] = (await help()).split('\nOptions:');
  const commands = [...all.matchAll(/^ {2}mikro-orm (\S+)((?: <[^>]*>| \[[^\]]*\])*) {2,}(.*)$/gm)].map(
    ([, name = '', args = '', text = '']) => ({ name, args, text }),
  );
  const table = commands.map(({ name, args, text }) => `| \`${name}${args}\` | ${text} |`);
  const pages = [];

  for (const { name } of commands) {
    const options = optionsOf(await help(name)).filter(({ flags }) => !COMMON.some(common => flags.endsWith(common)));
    const isOurs =
      name.startsWith('tenant:') || options.some(({ flags, text }) => flags === '--tenants' || text.includes('with --tenants'));

    if (isOurs) {
      pages.push(
        `## \`${name}\`\n\n${options.map(({ flags, text, type }) => `- \`${flags}\` (${type}): ${text}`).join('\n') || 'It has the options that all commands have.'}`,
      );
    }
  }

  return ['## All commands', '| command | what it does |\n| --- | --- |\n' + table.join('\n'), ...pages].join('\n\n');
}

function optionsOf(help: string): { flags: string; text: string; type: string }[] {
  return [...help.matchAll(/^ {2,6}(-.*?) {2,}(.*)$/gm)].map(([, flags = '', rest = '']) => {
    const [, text = '', type = 'boolean'] = /^(.*?) {2}\[(\w+)\](?: \[.*\])?$/.exec(rest) ?? [];

    return {
      flags: flags.trim(),
      text: text
        .replaceAll(/ {2,}/g, ' ')
        .replaceAll(/\[(default: [^\]]*)\]/g, '($1)')
        .replaceAll(' [with --tenants]', ' (with `--tenants`)')
        .replaceAll('|', '\\|'),
      type,
    };
  });
}

/** The command line as the bin makes it, whose help is not broken into lines. */
async function helpOf(): Promise<(...args: readonly string[]) => Promise<string>> {
  process.env['MIKRO_ORM_ALLOW_GLOBAL_CLI'] ??= '1';
  process.env['NO_COLOR'] ??= '1';
  const { configure } = (await import(urlOf('node_modules/@mikro-orm/cli/index.js'))) as { readonly configure: () => Promise<CommandLine> };
  const { addTenantOptions } = (await import(urlOf('dist/cli/tenant-options.js'))) as {
    readonly addTenantOptions: (line: CommandLine, run: () => Promise<void>) => void;
  };
  const commandLine = await configure();
  addTenantOptions(commandLine, async () => {});
  commandLine.wrap(null);

  return (...args) => new Promise(resolve => commandLine.parse([...args, '--help'], (_error, _argv, output) => resolve(output)));
}

function urlOf(path: string): string {
  return pathToFileURL(join(ROOT, path)).href;
}

const COMMON = ['--config', '--contextName, --context', '--quiet', '--version', '--help'];
