import { configure } from '@mikro-orm/cli';
import { colors } from '@mikro-orm/core';
import { TenantError } from '../errors/index.js';
import { EXIT } from './exit.js';
import { addTenantOptions, type CommandLine } from './tenant-options.js';

/** The stock MikroORM command line with the tenant options added. Resolves to the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  // the stock one insists on being listed in the project's package.json; here it comes along as a peer of this package
  process.env['MIKRO_ORM_ALLOW_GLOBAL_CLI'] ??= '1';

  const commandLine = (await configure()) as unknown as CommandLine;
  let code: number = EXIT.done;
  addTenantOptions(commandLine, async (command, tenantArgs) => {
    code = await refusalsAsWords(() => command(tenantArgs));
  });

  if (args.length === 0) {
    commandLine.showHelp('log');
  } else {
    await commandLine.parse(args);
  }

  return code;
}

// yargs would show the command's help and a stack for what is told better in the error's own words
async function refusalsAsWords(command: () => Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (error) {
    if (error instanceof TenantError) {
      console.error(colors.red(error.message));
      return EXIT.refused;
    }

    throw error;
  }
}
